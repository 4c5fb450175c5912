// What upstreams may not be together, where none of them may lead, and what failover: asks of them.
import { describe, expect, test } from "bun:test";
import { describeRefused, edited, type Edit, said } from "./samples.ts";
import { providers, sample } from "./upstream-samples.ts";

const guardrail = { id: "gr-1", version: "1" };
const guarded = { ...sample("bedrock"), name: "guarded", guardrail };
const anthropic = (settings: object = {}) => ({ ...sample("anthropic"), ...settings });

const these =
  (...upstreams: unknown[]): Edit =>
  (c) => {
    c.upstreams = upstreams;
    c.failover = {};
  };

const allOrNone =
  "set guardrail: on all bedrock upstreams or none — failover could otherwise send requests to a bedrock upstream without the guardrail";
const besideMantle =
  "a mantle upstream cannot be used beside a bedrock upstream that has a guardrail, because the gateway applies no guardrail to requests it sends to Mantle. Remove every mantle upstream, or remove the guardrail from every bedrock upstream.";
const noPriority =
  "set priority: on all upstreams or none — without it an upstream has no place among those that have one";
const noFailover = (key: string) =>
  `${key} needs a top-level failover: block; add one (failover: {} is enough), or remove ${key} and order upstreams by preference`;

describeRefused({
  "upstreams together": [
    [
      "one name twice, one of them a provider's",
      these({ ...sample("vertex"), name: "bedrock" }, sample("bedrock")),
      "upstreams[1].name → duplicate upstream name 'bedrock' — set distinct 'name:' on each",
    ],
    [
      "a guardrail on some",
      these(sample("bedrock"), guarded, { ...sample("bedrock"), name: "third" }),
      `upstreams[0].guardrail → ${allOrNone}`,
      `upstreams[2].guardrail → ${allOrNone}`,
    ],
    [
      "mantle beside a guardrail",
      these(sample("mantle"), guarded),
      `upstreams[0].provider → ${besideMantle}`,
    ],
    [
      "a priority on some",
      these(anthropic({ priority: 0 }), sample("bedrock")),
      `upstreams[1].priority → ${noPriority}`,
    ],
    [
      "a weight without a priority",
      these(anthropic({ weight: 1 })),
      "upstreams[0].weight → weight needs priority: it divides the requests among the upstreams of one priority",
    ],
    [
      "a priority without failover",
      (c) => (c.upstreams = [anthropic({ priority: 1, weight: 1 })]),
      `upstreams[0].priority → ${noFailover("priority")}`,
      `upstreams[0].weight → ${noFailover("weight")}`,
    ],
    [
      "a weight of nothing",
      these(anthropic({ priority: 1, weight: 0 })),
      "upstreams[0].weight → must be a number greater than 0, at most 1000, got 0",
    ],
    [
      "a priority between two others",
      these(anthropic({ priority: 1.5 })),
      "upstreams[0].priority → must be a whole number from 0 to 1000, got 1.5",
    ],
    [
      "no groups",
      these(anthropic({ groups: [] })),
      "upstreams[0].groups → groups on an upstream must be a list of IdP group names, none empty, for example groups: [team-a]. Only developers in one of them are sent to this upstream. Remove the key to serve everyone.",
    ],
    [
      "a group without a name",
      these(anthropic({ groups: ["a", ""] })),
      "upstreams[0].groups[1] → must be a group name, got an empty string",
    ],
  ],
  failover: [
    [
      "a longest time that is shorter than the first",
      (c) => (c.failover = { set_aside_seconds: 10, set_aside_max_seconds: 9.5 }),
      "failover.set_aside_max_seconds → must be at least set_aside_seconds, which is 10, got 9.5",
    ],
    [
      "a first time that is longer than the longest's default",
      (c) => (c.failover = { set_aside_seconds: 301 }),
      "failover.set_aside_max_seconds → must be at least set_aside_seconds, which is 301, got 300",
    ],
    [
      "no failure at all",
      (c) => (c.failover = { unhealthy_after: 0 }),
      "failover.unhealthy_after → must be a whole number from 1 to 1000, got 0",
    ],
    [
      "a word it does not have",
      (c) => (c.failover = { set_aside_second: 1 }),
      'failover.set_aside_second → unknown key; did you mean "set_aside_seconds"?',
    ],
  ],
});

describe("allowed together:", () => {
  test.each<[string, Edit]>([
    [
      "guardrails that differ, and providers that have none",
      these(
        guarded,
        { ...guarded, name: "other", guardrail: { id: "gr-2", version: "DRAFT" } },
        ...["anthropic", "vertex", "anthropicAws", "foundry"].map((provider) => sample(provider)),
      ),
    ],
    ["mantle beside bedrock without a guardrail", these(sample("mantle"), sample("bedrock"))],
    [
      "a weight on some of those with a priority",
      these(anthropic({ priority: 1, weight: 3 }), { ...sample("bedrock"), priority: 1 }),
    ],
  ])("%s", (_, edit) => {
    expect(said(edited(edit))).toEqual([]);
  });
});

test("a guardrail and a priority that do not have their shape are there all the same", () => {
  const broken = { ...sample("bedrock"), guardrail: "gr-1", priority: "first", weight: 1 };
  const bare = { ...sample("bedrock"), name: "bare" };
  expect(said(edited(these(broken, bare)))).toEqual([
    "upstreams[0].guardrail → must be a mapping with id, version, got text of 4 characters",
    'upstreams[0].priority → must be a whole number from 0 to 1000, got "first"',
    `upstreams[1].guardrail → ${allOrNone}`,
    `upstreams[1].priority → ${noPriority}`,
  ]);
});

describe.each(providers)("a base_url of %s", (provider) => {
  const at = (base_url: string) => said(edited(these({ ...sample(provider), base_url })));

  test("leads to no metadata endpoint and no link-local address", () => {
    for (const host of [
      "169.254.169.254",
      "0xA9FEA9FE",
      "[::ffff:169.254.1.1]",
      "[fe80::1]",
      "[fd00:ec2::254]",
      "100.100.100.200",
      "168.63.129.16",
      "metadata",
      "METADATA.google.internal.",
      "instance-data",
    ]) {
      expect(at(`http://${host}/anthropic`)).toEqual([
        "upstreams[0].base_url → base_url targets a metadata endpoint",
      ]);
    }
  });

  test("leads to this machine only if the operator says so", () => {
    for (const host of ["127.0.0.1", "127.9.9.9", "2130706433", "[::1]", "0.0.0.0", "[::]", "0"]) {
      expect(at(`https://${host}:8443/anthropic`)).toEqual([
        "upstreams[0].base_url → base_url is a loopback or unspecified address, which the gateway blocks by default; set CLAUDE_GATEWAY_ALLOW_LOOPBACK=1 in the gateway environment to allow it",
      ]);
    }
  });

  test("ends with its path", () => {
    for (const end of ["?", "?key=1", "#", "#a", "/v1?x#y"]) {
      expect(at(`https://proxy.example/anthropic${end}`)).toEqual([
        "upstreams[0].base_url → base_url must end with its path: the gateway appends paths such as /v1/messages, which would become part of a query (?) or fragment (#)",
      ]);
    }
  });

  test("is http or https, and holds no password", () => {
    for (const url of ["ftp://a.example", "a.example", "", "https://u:hunter2@a.example"]) {
      const [message, ...others] = at(url);
      expect(message).toStartWith(
        "upstreams[0].base_url → must be an http(s) URL without credentials in it, got ",
      );
      expect(message).not.toContain("hunter2");
      expect(others).toEqual([]);
    }
  });
});

test("nothing but 1 lifts the block on this machine's addresses, and it lifts no other", () => {
  const env = (value: string) => ({ env: { CLAUDE_GATEWAY_ALLOW_LOOPBACK: value } });
  const at = (base_url: string) => edited(these(anthropic({ base_url })));
  for (const value of ["", "0", "true", "yes"]) {
    expect(said(at("http://127.0.0.1"), env(value))).toHaveLength(1);
  }
  expect(said(at("http://169.254.169.254"), env("1"))).toHaveLength(1);
});
