// What the process makes of the variables that its runtime and libraries read, before anything is opened. That it then runs with
// what came out of this, and with its memory closed, is shown on processes: gateway/faults.test.ts, image/crash.test.ts.
import { describe, expect, test } from "bun:test";
import { runtimeEnvironment } from "../src/runtime.ts";

const settled = { BUN_ENABLE_CRASH_REPORTING: "0", BUN_CONFIG_MAX_HTTP_REQUESTS: "16384" };

describe("the environment", () => {
  test("is kept, but for the cap on requests and crash reports", () => {
    const env = {
      PATH: "/bin",
      HTTPS_PROXY: "http://proxy",
      NODE_EXTRA_CA_CERTS: "/ca.pem",
      EMPTY: "",
      NOT_SET: undefined,
    };
    expect(runtimeEnvironment(env)).toEqual({
      PATH: "/bin",
      HTTPS_PROXY: "http://proxy",
      NODE_EXTRA_CA_CERTS: "/ca.pem",
      EMPTY: "",
      ...settled,
    });
  });

  test("stays as it is once it is settled, or the process would start over for ever", () => {
    const once = runtimeEnvironment({ PATH: "/bin", DEBUG: "*" });
    expect(runtimeEnvironment(once)).toEqual(once);
  });

  test.each([
    ["BUN_OPTIONS", "--preload=/tmp/x.js"],
    ["BUN_INSPECT", "127.0.0.1:9229"],
    ["BUN_INSPECT_CONNECT_TO", "unix:/tmp/x"],
    ["BUN_INSPECT_PRELOAD", "/tmp/x.js"],
    ["NODE_TLS_REJECT_UNAUTHORIZED", "0"],
  ])("is refused with %s=%s, by name, and accepted when that is empty", (name, value) => {
    expect(() => runtimeEnvironment({ [name]: value })).toThrow(`${name} is set`);
    expect(runtimeEnvironment({ [name]: "" })).toEqual({ [name]: "", ...settled });
  });

  test("may ask for the check of certificates", () =>
    expect(runtimeEnvironment({ NODE_TLS_REJECT_UNAUTHORIZED: "1" })).toEqual({
      NODE_TLS_REJECT_UNAUTHORIZED: "1",
      ...settled,
    }));

  test.each([
    ["BUN_CONFIG_VERBOSE_FETCH", "curl"],
    ["DEBUG", "*"],
    ["NODE_DEBUG", "http"],
    ["AZURE_LOG_LEVEL", "verbose"],
    ["GOOGLE_SDK_NODE_LOGGING", "*"],
    ["BUN_CRASH_REPORT_URL", "https://example.com"],
    ["BUN_ENABLE_CRASH_REPORTING", "1"],
  ])("loses %s=%s", (name, value) =>
    expect(runtimeEnvironment({ [name]: value })).toEqual(settled),
  );

  test.each([
    ["1", "1"],
    ["65535", "65535"],
    ["0", "16384"],
    ["65536", "16384"],
    ["1.5", "16384"],
    ["many", "16384"],
    ["", "16384"],
  ])("that asks for %s requests at once has %s", (asked, cap) =>
    expect(runtimeEnvironment({ BUN_CONFIG_MAX_HTTP_REQUESTS: asked })).toEqual({
      ...settled,
      BUN_CONFIG_MAX_HTTP_REQUESTS: cap,
    }),
  );
});
