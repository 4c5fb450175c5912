// When an upstream is set aside, for how long, and how it comes back.
import { describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { type Attempt, attemptOn, type Route, type Send } from "../../src/inference/attempt.ts";
import { createHealth } from "../../src/inference/health.ts";
import { flushLog, setLogDescriptor, setLogLevel, stderr } from "../../src/log.ts";
import { PrincipalUnfitError } from "../../src/upstream/upstream.ts";
import {
  answered,
  answerOf,
  clientGone,
  noAnswer,
  refused,
  routeTo,
  stoppedClock,
} from "./attempts.ts";

const settings = {
  unhealthy_after: 3,
  set_aside_seconds: 5,
  set_aside_max_seconds: 60,
  session_affinity: true,
};
const a = routeTo("a");

/** A health with a clock, and attempts on `a` that begin and end at once. */
function scene(change: { settings?: Partial<typeof settings>; random?: () => number } = {}) {
  const clock = stoppedClock();
  const health = createHealth(
    { ...settings, ...change.settings },
    { path: "/v1/messages", now: clock.now, random: change.random ?? (() => 0.5) },
  );
  return {
    ...clock,
    health,
    state: (route: Route = a) => health.of(route),
    come: (...attempts: Attempt[]) => attempts.forEach((attempt) => health.begin(a)(attempt)),
  };
}

/** Milliseconds until `a` is due, found by waiting. */
function waitUntilDue({ state, pass }: ReturnType<typeof scene>): number {
  let waitedMs = 0;
  for (; state() === "set aside" && waitedMs < 10_000_000; waitedMs += 100) pass(100);
  return waitedMs;
}

describe("what counts as a failure", () => {
  test("a person that an upstream cannot serve says nothing of it", async () => {
    const { come, state } = scene();
    const send: Send = () => Promise.reject(new PrincipalUnfitError("no email claim"));
    const attempt = await attemptOn(a, send, new AbortController().signal);
    expect(attempt).toMatchObject({ outcome: "no answer", cause: "no email claim" });
    come(attempt, attempt, attempt, attempt);
    expect(state()).toBe("healthy");
    come(noAnswer, noAnswer, attempt, noAnswer);
    expect(state()).toBe("set aside");
  });

  for (const status of [401, 403, 404, 429, 500, 502, 503, 504, 529]) {
    test(`${status} three times in a row sets it aside`, () => {
      const { come, state } = scene();
      come(refused(status), refused(status));
      expect(state()).toBe("healthy");
      come(refused(status));
      expect(state()).toBe("set aside");
    });
  }
  test("so does no answer", () => {
    const { come, state } = scene();
    come(noAnswer, noAnswer, noAnswer);
    expect(state()).toBe("set aside");
  });
  test("a mixture of failures counts together", () => {
    const { come, state } = scene();
    come(noAnswer, refused(500), refused(401));
    expect(state()).toBe("set aside");
  });
  for (const attempt of [answered(), answered(400), answered(413), answered(422), refused(501)]) {
    const { status } = "answer" in attempt ? attempt.answer.response : { status: 0 };
    test(`${status} does not, and begins the count anew`, () => {
      const { come, state } = scene();
      come(attempt, attempt, attempt);
      expect(state()).toBe("healthy");
      come(noAnswer, noAnswer, attempt, noAnswer, noAnswer);
      expect(state()).toBe("healthy");
      come(noAnswer);
      expect(state()).toBe("set aside");
    });
  }
  test("a client that hangs up says nothing, and the count goes on", () => {
    const { come, state } = scene();
    come(clientGone, clientGone, clientGone);
    expect(state()).toBe("healthy");
    come(noAnswer, noAnswer, clientGone, noAnswer);
    expect(state()).toBe("set aside");
  });
  test("unhealthy_after says how many in a row", () => {
    const { come, state } = scene({ settings: { unhealthy_after: 1 } });
    come(noAnswer);
    expect(state()).toBe("set aside");
  });
});

describe("a retry-after", () => {
  for (const status of [429, 503, 529]) {
    test(`with ${status} sets it aside at once, for as long as asked`, () => {
      const asked = scene();
      asked.come(refused(status, 20_000));
      expect(waitUntilDue(asked)).toBe(20_000);
    });
  }
  test("shorter than the set-aside time does not shorten it", () => {
    const asked = scene();
    asked.come(refused(429, 1_000));
    expect(waitUntilDue(asked)).toBe(5_000);
  });
  test("longer than set_aside_max_seconds is cut to it", () => {
    const asked = scene();
    asked.come(refused(429, 3_600_000));
    expect(waitUntilDue(asked)).toBe(60_000);
  });
  test("with another status, or of nothing, is a failure like any other", () => {
    const { come, state } = scene();
    come(refused(500, 20_000), refused(429, 0));
    expect(state()).toBe("healthy");
  });
  test("is not anticipated: the jitter is on our own time only", () => {
    const asked = scene({ random: () => 0 });
    asked.come(refused(429, 20_000));
    expect(waitUntilDue(asked)).toBe(20_000);
  });
  test("of the probe counts too", () => {
    const asked = scene();
    asked.come(noAnswer, noAnswer, noAnswer);
    asked.pass(5_000);
    asked.come(refused(503, 30_000));
    expect(waitUntilDue(asked)).toBe(30_000);
  });
});

describe("how long", () => {
  test("doubles with each probe that fails, up to set_aside_max_seconds", () => {
    const failing = scene();
    failing.come(noAnswer, noAnswer, noAnswer);
    const waits = Array.from({ length: 6 }, () => {
      const waitedMs = waitUntilDue(failing);
      failing.come(refused(500));
      return waitedMs;
    });
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });
  test("begins anew once it has answered well", () => {
    const failing = scene();
    failing.come(noAnswer, noAnswer, noAnswer);
    waitUntilDue(failing);
    failing.come(noAnswer);
    waitUntilDue(failing);
    failing.come(answered(), noAnswer, noAnswer, noAnswer);
    expect(waitUntilDue(failing)).toBe(5_000);
  });
  test("differs by a tenth either way", () => {
    for (const [drawn, waitedMs] of [
      [0, 4_500],
      [0.25, 4_800],
      [0.999, 5_500],
    ] as const) {
      const failing = scene({ random: () => drawn });
      failing.come(noAnswer, noAnswer, noAnswer);
      expect(waitUntilDue(failing)).toBe(waitedMs);
    }
  });
  test("differs at set_aside_max_seconds too", () => {
    const failing = scene({ random: () => 0, settings: { set_aside_seconds: 90 } });
    failing.come(noAnswer, noAnswer, noAnswer);
    expect(waitUntilDue(failing)).toBe(54_000);
  });
  test("is never above set_aside_max_seconds, however often it failed and whatever was drawn", () => {
    const failing = scene({ random: () => 0.999, settings: { set_aside_seconds: 90 } });
    failing.come(noAnswer, noAnswer, noAnswer);
    for (let probe = 0; probe < 1_100; probe++) {
      failing.pass(60_000);
      expect(failing.state()).toBe("due");
      failing.come(noAnswer);
    }
  });
});

describe("while it is set aside", () => {
  test("failures of those who had nothing else left do not make it longer", () => {
    const failing = scene();
    failing.come(noAnswer, noAnswer, noAnswer);
    failing.come(...Array.from({ length: 10 }, () => refused(429, 50_000)));
    expect(waitUntilDue(failing)).toBe(5_000);
  });
  test("an answer to one who had nothing else left brings it back", () => {
    const { come, state } = scene();
    come(noAnswer, noAnswer, noAnswer);
    come(answered());
    expect(state()).toBe("healthy");
  });
  test("attempts that began before do not count: neither an answer nor a failure", () => {
    const failing = scene();
    const early = Array.from({ length: 5 }, () => failing.health.begin(a));
    failing.come(refused(429, 20_000));
    for (const end of early) end(refused(429, 50_000));
    failing.health.begin(a)(clientGone);
    expect(waitUntilDue(failing)).toBe(20_000);

    const answering = scene();
    const late = answering.health.begin(a);
    answering.come(refused(429, 20_000));
    late(answered());
    expect(answering.state()).toBe("set aside");
  });
  test("other models of the upstream and other upstreams are not", () => {
    const { come, state } = scene();
    come(noAnswer, noAnswer, noAnswer);
    expect(state(routeTo("a", "another"))).toBe("healthy");
    expect(state(routeTo("b"))).toBe("healthy");
    expect(state(routeTo("a"))).toBe("set aside");
  });
});

describe("what is set aside", () => {
  test("is told by upstream and model, and nothing that is healthy with it", () => {
    const { health, come } = scene({ settings: { unhealthy_after: 1 } });
    expect(health.setAside()).toEqual([]);
    come(noAnswer);
    health.begin(routeTo("a", "another"))(answered());
    health.begin(routeTo("b", "m"))(refused(500));
    expect(health.setAside()).toEqual([
      { upstream: "a", upstreamModel: "m" },
      { upstream: "b", upstreamModel: "m" },
    ]);
  });
  test("is so until its time is over, again while it is probed, and not any more once it answers", () => {
    const { health, come, pass } = scene();
    come(noAnswer, noAnswer, noAnswer);
    pass(5_000);
    expect(health.setAside()).toEqual([]);
    const end = health.begin(a);
    expect(health.setAside()).toEqual([{ upstream: "a", upstreamModel: "m" }]);
    end(answered());
    expect(health.setAside()).toEqual([]);
  });
});

describe("the probe", () => {
  /** `a` is due. */
  function dueScene() {
    const due = scene();
    due.come(noAnswer, noAnswer, noAnswer);
    due.pass(5_000);
    expect(due.state()).toBe("due");
    return due;
  }
  test("is one at a time: to others it stays set aside until the probe has ended", () => {
    const { health, state } = dueScene();
    const end = health.begin(a);
    expect(state()).toBe("set aside");
    end(answered());
    expect(state()).toBe("healthy");
  });
  test("that fails sets it aside again at once", () => {
    const { come, state } = dueScene();
    come(noAnswer);
    expect(state()).toBe("set aside");
  });
  test("whose client hangs up leaves it due", () => {
    const { come, state } = dueScene();
    come(clientGone);
    expect(state()).toBe("due");
  });
  test("is not over when somebody else's attempt is", () => {
    const { health, state } = dueScene();
    health.begin(a);
    health.begin(a)(clientGone);
    expect(state()).toBe("set aside");
    health.begin(a)(noAnswer);
    expect(state()).toBe("set aside");
  });
  test("that is late has no say once it is healthy again", () => {
    const { health, come, state } = dueScene();
    const end = health.begin(a);
    come(answered());
    expect(state()).toBe("healthy");
    end(noAnswer);
    expect(state()).toBe("healthy");
    come(noAnswer, noAnswer);
    expect(state()).toBe("healthy");
  });
  test("that is late does not stand in the way of the next one", () => {
    const { health, come, state, pass } = dueScene();
    health.begin(a);
    come(answered(), noAnswer, noAnswer, noAnswer);
    pass(5_000);
    expect(state()).toBe("due");
  });
});

type Step =
  | { do: "begin" }
  | { do: "end"; which: number; attempt: Attempt }
  | { do: "wait"; ms: number };

const outcomes = fc.constantFrom(
  answered(),
  answered(400),
  refused(429, 8_000),
  refused(500),
  refused(501),
  noAnswer,
  clientGone,
);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.constant<Step>({ do: "begin" }),
    fc.record({ do: fc.constant("end" as const), which: fc.nat(), attempt: outcomes }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.nat(20_000) }),
  ),
  { maxLength: 80 },
);

test("whatever happens, two probes are never under way and none is lost", () => {
  fc.assert(
    fc.property(steps, (script) => {
      const { health, state, pass } = scene({ settings: { unhealthy_after: 1 } });
      const open: ((attempt: Attempt) => void)[] = [];
      let probe: ((attempt: Attempt) => void) | undefined;
      for (const step of script) {
        if (step.do === "wait") pass(step.ms);
        if (step.do === "begin") {
          const isDue = state() === "due";
          const end = health.begin(a);
          open.push(end);
          if (isDue) probe = end;
        }
        if (step.do === "end" && open.length > 0) {
          const [end] = open.splice(step.which % open.length, 1);
          end?.(step.attempt);
          if (end === probe) probe = undefined;
        }
        // Somebody else's answer has told what the probe was to find out.
        if (state() === "healthy") probe = undefined;
        if (probe !== undefined) expect(state()).toBe("set aside");
      }
      for (const end of open) end(clientGone);
      pass(settings.set_aside_max_seconds * 1000);
      expect(state()).not.toBe("set aside");
    }),
    { numRuns: 500 },
  );
});

test("after an answer nothing is left of the failures before it, whatever they were", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(outcomes, fc.nat(20_000)), { maxLength: 40 }), (past) => {
      const after = scene();
      for (const [attempt, ms] of past) {
        after.come(attempt);
        after.pass(ms);
      }
      after.come(answered());
      expect(after.state()).toBe("healthy");
      after.come(noAnswer, noAnswer);
      expect(after.state()).toBe("healthy");
      after.come(noAnswer);
      expect(waitUntilDue(after)).toBe(5_000);
    }),
  );
});

test("10,000 upstreams and models are known at most; what was seen first is forgotten first", () => {
  const { health, come, state } = scene();
  come(noAnswer, noAnswer, noAnswer);
  for (let model = 1; model < 10_000; model++) health.begin(routeTo("a", `m${model}`))(answered());
  expect(state()).toBe("set aside");
  health.begin(routeTo("a", "one more"))(answered());
  expect(state()).toBe("healthy");
});

test("the log has one line when it is set aside, with for how long and why, and one when it is back", () => {
  const lines = loggedBy(() => {
    const { come, pass } = scene();
    come(answered(), noAnswer, noAnswer, refused(503), noAnswer, noAnswer);
    pass(5_000);
    come(noAnswer);
    come(answered(), answered(), refused(429, 7_000));
  });
  expect(lines).toEqual([
    "warn upstream set aside for 5.0 s: a (m) on /v1/messages: 3 failures in a row, the last: 503 of the upstream",
    "warn upstream set aside for 10.0 s: a (m) on /v1/messages: still ECONNREFUSED",
    "info upstream healthy again: a (m) on /v1/messages",
    "warn upstream set aside for 7.0 s: a (m) on /v1/messages: 429 of the upstream",
  ]);
});

/** What is written to the log, without the times. */
function loggedBy(work: () => void): string[] {
  const directory = mkdtempSync(join(tmpdir(), "health-log-"));
  const path = join(directory, "log");
  const file = openSync(path, "w");
  setLogDescriptor(file);
  setLogLevel("info");
  try {
    work();
    flushLog();
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    return lines.map((line) => line.replace(/^\[gateway\] \S+ /, ""));
  } finally {
    setLogLevel("error");
    setLogDescriptor(stderr);
    closeSync(file);
    rmSync(directory, { recursive: true });
  }
}

describe("streams that break off", () => {
  const streams: Attempt = {
    outcome: "answered",
    answer: answerOf(new Response("", { headers: { "content-type": "text/event-stream" } })),
  };
  /** Streams that begin, and end so. */
  function run({ come, health }: ReturnType<typeof scene>, ...wholes: boolean[]): void {
    for (const isWhole of wholes) {
      come(streams);
      health.streamOver(a, isWhole);
    }
  }

  test("set aside as many failures do, although each began well", () => {
    const each = scene();
    run(each, false, false);
    expect(each.state()).toBe("healthy");
    run(each, false);
    expect(each.state()).toBe("set aside");
  });

  test("are forgotten when one ends well, and not when a whole answer does", () => {
    const each = scene();
    run(each, false, false, true, false, false);
    each.come(answered());
    expect(each.state()).toBe("healthy");
    run(each, false);
    expect(each.state()).toBe("set aside");
  });

  test("of a time before it was set aside make nothing longer", () => {
    const each = scene();
    run(each, false, false, false);
    const ms = waitUntilDue(each);
    run(each, false, false, false);
    const other = scene();
    run(other, false, false, false);
    other.health.streamOver(a, false);
    expect(waitUntilDue(other)).toBe(ms);
  });

  test("set it aside at once when it is back, and for twice as long, until one ends well", () => {
    const each = scene();
    run(each, false, false, false);
    const first = waitUntilDue(each);
    run(each, false);
    expect(each.state()).toBe("set aside");
    expect(waitUntilDue(each)).toBe(2 * first);
    run(each, true, false, false, false);
    expect(waitUntilDue(each)).toBe(first);
  });
});
