// Reading a list page after page: when it is given up. What each directory answers is in google-groups.test.ts and
// entra-groups.test.ts.
import { expect, test } from "bun:test";
import { askDirectory, readPages } from "../../src/idp/directory.ts";
import { egressTo, startGraph } from "../support/directories.ts";
import { idpErrorOf } from "../support/hostile-idp.ts";
import { rejection } from "../support/idp.ts";

const first = new URL("https://directory.example/");

test("all pages together have one time-out, however quick each of them is", async () => {
  const giveUp = new AbortController();
  let pages = 0;
  const list = readPages(
    "google_groups",
    first,
    async (url, signal) => {
      signal.throwIfAborted();
      if (++pages === 3) giveUp.abort(new Error("too slow"));
      return { groups: ["g"], next: url };
    },
    giveUp.signal,
  );
  expect(await idpErrorOf(list)).toMatchObject({
    step: "directory",
    kind: "unavailable",
    message: "google_groups lookup failed: too slow",
  });
  expect(pages).toBe(3);
});

test("giving up does not wait for an answer that is under way", async () => {
  const graph = startGraph();
  const giveUp = new AbortController();
  graph.answer = () => {
    giveUp.abort(new Error("too slow"));
    return new Promise<Response>(() => {});
  };
  const asked = askDirectory({
    name: "Graph",
    url: first,
    accessToken: "at-1",
    signal: giveUp.signal,
    egress: egressTo({ [first.origin]: graph.url }),
    advice: "",
  });
  expect((await rejection(asked)).message).toEndWith("too slow");
  await graph.stop();
});

test("exactly as many groups as a person may have are read to the last page", async () => {
  const groups = Array.from({ length: 5_000 }, (_, index) => `g${index}`);
  let pages = 0;
  const list = await readPages("google_groups", first, async (url) => ({
    groups: pages < 2 ? groups : [],
    next: ++pages < 3 ? url : undefined,
  }));
  expect(list).toHaveLength(10_000);
  expect(pages).toBe(3);
});
