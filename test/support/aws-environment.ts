// An environment in which AWS's default chain finds nothing but what a test puts there.
import { afterEach, beforeEach } from "bun:test";

/** Clears what AWS's SDK reads of the environment before each test of the file, and puts it back afterwards. */
export function clearAwsEnvironment(): void {
  const isAws = (name: string) => name.startsWith("AWS_");
  let before: [string, string | undefined][] = [];

  const clear = () => {
    for (const name of Object.keys(process.env).filter(isAws)) delete process.env[name];
  };

  beforeEach(() => {
    before = Object.entries(process.env).filter(([name]) => isAws(name));
    clear();
    Object.assign(process.env, {
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
      AWS_CONFIG_FILE: "/nonexistent/config",
    });
  });
  afterEach(() => {
    clear();
    Object.assign(process.env, Object.fromEntries(before));
  });
}
