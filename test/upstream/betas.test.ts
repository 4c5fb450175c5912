// `anthropic-beta` as it is read and written.
import { describe, expect, test } from "bun:test";
import { betasOf, betasSent, setBetas } from "../../src/upstream/request/betas.ts";
import { outboundCall } from "../support/cloud-api.ts";

const none = new Set<string>();

describe("the betas of a request", () => {
  test.each<[string, string[]]>([
    ["a", ["a"]],
    ["a,b", ["a", "b"]],
    ["b , a,\tb,a", ["b", "a"]],
    [" ,a,,", ["a"]],
    [",", []],
    ["", []],
  ])("%j", (value, betas) =>
    expect(betasOf(new Headers({ "anthropic-beta": value }), none)).toEqual(betas),
  );

  test("are those of all headers of the name", () => {
    const headers = new Headers([
      ["anthropic-beta", "a,b"],
      ["Anthropic-Beta", "c"],
    ]);
    expect(betasOf(headers, none)).toEqual(["a", "b", "c"]);
  });

  test("are none without the header", () => expect(betasOf(new Headers(), none)).toEqual([]));

  test("are without those left out, whole names only", () =>
    expect(
      betasOf(new Headers({ "anthropic-beta": "a-1,a,a-2" }), new Set(["a", "a-2", "x"])),
    ).toEqual(["a-1"]));
});

describe("the betas of a call", () => {
  const sent = (inBody: unknown, header: string, without = none) =>
    betasSent(
      outboundCall(
        { model: "m", anthropic_beta: inBody },
        { headers: { "anthropic-beta": header } },
      ),
      without,
    );

  test("are those of its body and of its header, each once", () =>
    expect(sent(["b", "a", "b"], "a,c")).toEqual(["b", "a", "c"]));

  test("are without those left out, wherever they were", () =>
    expect(sent(["b", "a"], "b,c", new Set(["b", "c"]))).toEqual(["a"]));

  test.each(["a", null, 1, { a: 1 }, [1, null, ["a"], {}]])(
    "are none of the body's where that has %j",
    (inBody) => expect(sent(inBody, "c")).toEqual(["c"]),
  );
});

describe("setting betas", () => {
  test("replaces those that were there", () => {
    const headers = new Headers({ "anthropic-beta": "old" });
    setBetas(headers, ["a", "b"]);
    expect(headers.get("anthropic-beta")).toBe("a,b");
  });

  test("takes the header away when there are none", () => {
    const headers = new Headers({ "anthropic-beta": "old" });
    setBetas(headers, []);
    expect(headers.has("anthropic-beta")).toBe(false);
  });
});
