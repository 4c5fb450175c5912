// The command line as it is read. What the process makes of it is in test/gateway/process.test.ts and explain.test.ts.
import { describe, expect, test } from "bun:test";
import { readArguments, UsageError } from "../src/arguments.ts";

const config = ["--config", "gateway.yaml"];

describe("the command line", () => {
  test("means serve when it names no command", () => {
    expect(readArguments(config)).toEqual({ name: "serve", config: "gateway.yaml" });
  });

  test.each([["serve"], ["check"], ["explain"]])("%s needs a configuration", (name) => {
    expect(() => readArguments([name])).toThrow("--config FILE is required");
    expect(readArguments([name, ...config])).toMatchObject({ name, config: "gateway.yaml" });
  });

  test("health needs none", () => {
    expect(readArguments(["health"])).toEqual({ name: "health", config: undefined });
  });

  test("asks for help or the version before all else", () => {
    expect(readArguments(["nope", "--help"])).toEqual({ name: "help" });
    expect(readArguments(["--version", "extra"])).toEqual({ name: "version" });
  });

  test.each<[string, string[], string]>([
    ["an unknown command", ["nope"], "unknown command nope"],
    ["a second command", ["check", "extra"], "unexpected extra"],
    ["an unknown option", ["--nope"], "--nope"],
    ["an option without its value", ["check", "--config"], "--config"],
    ["a value for an option that takes none", ["explain", "--json=yes"], "--json"],
    ["explain's options elsewhere", ["check", "--groups", "a"], "--groups belongs to"],
    ["a blank address", ["explain", ...config, "--email", " "], "--email is empty"],
    ["a model that is no model", ["explain", ...config, "--model", ""], "--model is empty"],
  ])("%s makes no sense", (_what, argv, message) => {
    expect(() => readArguments(argv)).toThrow(UsageError);
    expect(() => readArguments(argv)).toThrow(message);
  });
});

describe("explain", () => {
  const explain = (...argv: string[]) => readArguments(["explain", ...config, ...argv]);

  test("asks about somebody without address and groups, and about no model, unless told", () => {
    expect(explain()).toEqual({
      name: "explain",
      config: "gateway.yaml",
      email: undefined,
      groups: [],
      model: undefined,
      json: false,
      showValues: false,
    });
  });

  test("takes everything at once", () => {
    expect(
      explain("--email", "a@b.example", "--model", "m", "--json", "--show-values"),
    ).toMatchObject({ email: "a@b.example", model: "m", json: true, showValues: true });
  });

  test("splits lists of groups at commas, without the blanks around them, and adds up several", () => {
    expect(explain("--groups", " a, b c ,,", "--groups", "d")).toMatchObject({
      groups: ["a", "b c", "d"],
    });
    expect(explain("--groups", "")).toMatchObject({ groups: [] });
  });

  test("takes a single group as it is spelled, commas and blanks included", () => {
    expect(explain("--group", "Sales, EMEA ", "--groups", "a", "--group", "b")).toMatchObject({
      groups: ["a", "Sales, EMEA ", "b"],
    });
    expect(explain("--group", "")).toMatchObject({ groups: [] });
  });
});
