// One credential over its life: when it is asked for, by whom, and what happens when it cannot be had.
import { describe, expect, spyOn, test } from "bun:test";
import {
  createCredential,
  CredentialError,
  type Renewable,
} from "../../src/upstream/credential.ts";
import { rejection } from "../support/idp.ts";

const hourMs = 3_600_000;

/** Where credentials come from, with a clock that a test turns. */
function openSource(lifeMs: number | null = hourMs) {
  const source = {
    nowMs: 1_000_000,
    lifeMs,
    asked: 0,
    /** Comes in the way of an answer. */
    hold: undefined as Promise<unknown> | undefined,
    signal: undefined as AbortSignal | undefined,
  };
  async function obtain(signal: AbortSignal): Promise<Renewable<string>> {
    const number = ++source.asked;
    source.signal = signal;
    await source.hold;
    return {
      value: `credential-${number}`,
      expiresAtMs: source.lifeMs === null ? null : source.nowMs + source.lifeMs,
    };
  }
  const credential = createCredential(obtain, {
    owner: "upstream 'cloud'",
    now: () => source.nowMs,
  });
  return { source, credential };
}

/** A promise and its ends, so that a test decides when work is done. */
function openWork() {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

/** Lets everything that waits for nothing more take place. */
const settle = () => Bun.sleep(0);

describe("a credential", () => {
  test("is not asked for before it is needed", () => {
    expect(openSource().source.asked).toBe(0);
  });

  test("is asked for once, however many wait for it", async () => {
    const { source, credential } = openSource();
    const all = await Promise.all(Array.from({ length: 50 }, () => credential.get()));
    expect(new Set(all)).toEqual(new Set(["credential-1"]));
    expect(source.asked).toBe(1);
  });

  test("is kept until its end draws near", async () => {
    const { source, credential } = openSource();
    await credential.get();
    source.nowMs += hourMs - 5 * 60_000 - 1;
    expect(await credential.get()).toBe("credential-1");
    await settle();
    expect(source.asked).toBe(1);
  });

  test("that does not run out is kept for good", async () => {
    const { source, credential } = openSource(null);
    await credential.get();
    source.nowMs += 10_000 * hourMs;
    expect(await credential.get()).toBe("credential-1");
    await settle();
    expect(source.asked).toBe(1);
  });
});

describe("renewing", () => {
  test("begins five minutes early, once, and nobody waits for it", async () => {
    const { source, credential } = openSource();
    await credential.get();
    source.nowMs += hourMs - 5 * 60_000;
    const work = openWork();
    source.hold = work.promise;
    expect(await credential.get()).toBe("credential-1");
    expect(await credential.get()).toBe("credential-1");
    expect(source.asked).toBe(2);
    work.resolve();
    await settle();
    expect(await credential.get()).toBe("credential-2");
    expect(source.asked).toBe(2);
  });

  test("begins after three quarters of a short life", async () => {
    const { source, credential } = openSource(8 * 60_000);
    await credential.get();
    source.nowMs += 6 * 60_000 - 1;
    await credential.get();
    await settle();
    expect(source.asked).toBe(1);
    source.nowMs += 1;
    await credential.get();
    expect(source.asked).toBe(2);
  });

  test("that fails early leaves the old one in use, and is tried again after a second", async () => {
    const { source, credential } = openSource();
    await credential.get();
    source.nowMs += hourMs - 5 * 60_000;
    source.hold = Promise.reject(new Error("down"));
    source.hold.catch(() => undefined);
    expect(await credential.get()).toBe("credential-1");
    await settle();
    expect(await credential.get()).toBe("credential-1");
    expect(source.asked).toBe(2);
    source.nowMs += 1_000;
    source.hold = undefined;
    expect(await credential.get()).toBe("credential-1");
    await settle();
    expect(await credential.get()).toBe("credential-3");
  });

  test.each([
    ["an hour", hourMs],
    ["ten seconds", 10_000],
  ])("is waited for in the last five seconds of a life of %s", async (_, lifeMs) => {
    const { source, credential } = openSource(lifeMs);
    await credential.get();
    source.nowMs += lifeMs - 5_000;
    expect(await credential.get()).toBe("credential-2");
  });

  test("that fails at the end leaves nothing in use", async () => {
    const { source, credential } = openSource();
    await credential.get();
    source.nowMs += hourMs;
    source.hold = Promise.reject(new Error("down"));
    source.hold.catch(() => undefined);
    expect(await rejection(credential.get())).toBeInstanceOf(CredentialError);
  });

  test("that was begun early is what those wait for who come at the end", async () => {
    const { source, credential } = openSource();
    await credential.get();
    source.nowMs += hourMs - 60_000;
    const work = openWork();
    source.hold = work.promise;
    await credential.get();
    source.nowMs += 60_000;
    const late = credential.get();
    work.resolve();
    expect(await late).toBe("credential-2");
    expect(source.asked).toBe(2);
  });
});

describe("a credential that cannot be had", () => {
  const failing = () => {
    const opened = openSource();
    opened.source.hold = Promise.reject(new Error("nobody answers"));
    opened.source.hold.catch(() => undefined);
    return opened;
  };

  test("is an error that says whose it is and ends with the cause", async () => {
    const error = await rejection(failing().credential.get());
    expect(error).toBeInstanceOf(CredentialError);
    expect(error.message).toBe("no credential for upstream 'cloud': nobody answers");
    expect(error.cause).toEqual(new Error("nobody answers"));
  });

  test("is told to everyone for a second, and then tried again", async () => {
    const { source, credential } = failing();
    const told = await Promise.all([rejection(credential.get()), rejection(credential.get())]);
    source.nowMs += 999;
    told.push(await rejection(credential.get()));
    expect(new Set(told).size).toBe(1);
    expect(source.asked).toBe(1);

    source.nowMs += 1;
    source.hold = undefined;
    expect(await credential.get()).toBe("credential-2");
  });

  test("because making the request failed at once is the same error", async () => {
    const credential = createCredential<string>(
      () => {
        throw new Error("no such file");
      },
      { owner: "upstream 'cloud'", now: () => 0 },
    );
    expect(await rejection(credential.get())).toBeInstanceOf(CredentialError);
  });

  test("within 15 seconds is waited for no longer, though its library does not listen", async () => {
    const clock = new AbortController();
    const timeout = spyOn(AbortSignal, "timeout").mockReturnValue(clock.signal);
    try {
      const { source, credential } = openSource();
      source.hold = openWork().promise;
      const failure = rejection(credential.get());
      clock.abort();
      expect((await failure).message).toEndWith("no answer within 15 s");
      expect(timeout.mock.calls).toEqual([[15_000]]);
      expect(source.signal?.aborted).toBe(true);
    } finally {
      timeout.mockRestore();
    }
  });

  test("in time does not count when it comes after all", async () => {
    const clock = new AbortController();
    const timeout = spyOn(AbortSignal, "timeout").mockReturnValue(clock.signal);
    try {
      const { source, credential } = openSource();
      const work = openWork();
      source.hold = work.promise;
      const failure = rejection(credential.get());
      clock.abort();
      await failure;
      work.resolve();
      await settle();
      source.nowMs += 1_000;
      source.hold = undefined;
      expect(await credential.get()).toBe("credential-2");
    } finally {
      timeout.mockRestore();
    }
  });
});

describe("a credential that was refused", () => {
  test("is replaced", async () => {
    const { credential } = openSource();
    credential.refused(await credential.get());
    expect(await credential.get()).toBe("credential-2");
  });

  test("is replaced at most once a second, also where every one of them is refused", async () => {
    const { source, credential } = openSource();
    for (let requests = 0; requests < 50; requests++) credential.refused(await credential.get());
    expect(source.asked).toBe(2);
    source.nowMs += 1_000;
    credential.refused(await credential.get());
    expect(await credential.get()).toBe("credential-3");
  });

  test("is replaced once, though many requests were refused with it", async () => {
    const { source, credential } = openSource();
    const first = await credential.get();
    credential.refused(first);
    await credential.get();
    credential.refused(first);
    expect(await credential.get()).toBe("credential-2");
    expect(source.asked).toBe(2);
  });
});
