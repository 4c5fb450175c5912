// A body is read whole up to a bound; beyond it the rest is neither kept nor waited for.
import { describe, expect, test } from "bun:test";
import { readAtMost, readWhole } from "../../src/upstream/answer/body.ts";

/** A body of these chunks, which tells whether it was let go of; `end` is what happens after them. */
function bodyOf(chunks: readonly string[], end: "closes" | "breaks" | "hangs" = "closes") {
  const seen = { cancelled: false, pulls: 0 };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = chunks[seen.pulls++];
        if (chunk !== undefined) controller.enqueue(Buffer.from(chunk));
        else if (end === "breaks") controller.error(new Error("broke off"));
        else if (end === "closes") controller.close();
        else return new Promise<void>(() => undefined);
        return undefined;
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { response: new Response(body), seen };
}

async function read(response: Response, bytesMax: number) {
  const { bytes, cut } = await readAtMost(response, bytesMax);
  return { text: Buffer.from(bytes).toString(), cut };
}

describe("a body within the bound", () => {
  test.each([
    [[], ""],
    [["abc"], "abc"],
    [["ab", "", "c"], "abc"],
    [["ab", "cd"], "abcd"],
  ])("of %j is read whole", async (chunks, text) => {
    const { response, seen } = bodyOf(chunks);
    expect(await read(response, 4)).toEqual({ text, cut: false });
    expect(seen.cancelled).toBe(false);
  });

  test("that is not there is empty", async () =>
    expect(await read(new Response(null, { status: 204 }), 4)).toEqual({ text: "", cut: false }));

  test("that breaks off is an error", async () =>
    expect(readAtMost(bodyOf(["ab"], "breaks").response, 4)).rejects.toThrow("broke off"));
});

describe("a body beyond the bound", () => {
  test.each([[["abcde"]], [["abcd", "e"]], [["ab", "cde", "f"]]])(
    "of %j is cut at it",
    async (chunks) =>
      expect(await read(bodyOf(chunks).response, 4)).toEqual({ text: "abcd", cut: true }),
  );

  test("is not read further, and let go of", async () => {
    const { response, seen } = bodyOf(["abc", "def", "ghi"], "hangs");
    await readAtMost(response, 4);
    expect(seen).toEqual({ cancelled: true, pulls: 2 });
  });

  test("frees the upstream's connection", async () => {
    const gone = Promise.withResolvers<void>();
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => {
        request.signal.addEventListener("abort", () => gone.resolve());
        return new Response(
          new ReadableStream({
            async pull(controller) {
              controller.enqueue(new Uint8Array(1024));
              await Bun.sleep(1);
            },
          }),
        );
      },
    });
    const { bytes, cut } = await readAtMost(await fetch(server.url), 10_000);
    expect({ length: bytes.length, cut }).toEqual({ length: 10_000, cut: true });
    await gone.promise;
  });
});

describe("a whole body", () => {
  const told = (length: number, coding?: string) => ({
    "content-length": String(length),
    ...(coding !== undefined && { "content-encoding": coding }),
  });
  const whole = async (response: Response) => Buffer.from(await readWhole(response, 4)).toString();

  test.each([
    ["in one chunk", bodyOf(["abcd"]).response],
    ["in several", bodyOf(["ab", "cd"]).response],
    ["with its length", new Response("abcd", { headers: told(4) })],
    ["with the length of its coding", new Response("abcd", { headers: told(2, "gzip") })],
  ])("within the bound is read, %s", async (_, response) =>
    expect(await whole(response)).toBe("abcd"),
  );

  test("that is not there is empty", async () => expect(await whole(new Response(null))).toBe(""));

  test.each([
    ["whose end is not known", () => bodyOf(["abc", "def", "ghi"], "hangs").response],
    ["whose length is told", () => new Response("abcde", { headers: told(5) })],
    ["whose coding hides its length", () => new Response("abcde", { headers: told(2, "gzip") })],
  ])("beyond the bound is an error: one %s", async (_, response) =>
    expect(whole(response())).rejects.toThrow("it is longer than 4 bytes"),
  );

  test("beyond the bound is let go of", async () => {
    const { response, seen } = bodyOf(["abc", "def", "ghi"], "hangs");
    await whole(response).catch(() => undefined);
    expect(seen).toEqual({ cancelled: true, pulls: 2 });
  });

  test("that breaks off is an error", async () =>
    expect(whole(bodyOf(["ab"], "breaks").response)).rejects.toThrow("broke off"));
});
