// What the gateway is made of, and that nothing else gets in: versions are exact, the lockfile is in step and has a hash of every
// download, no package runs a script of its own, two builds are the same bytes, and what is inside them is listed beside them.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import packageJson from "../../package.json";

const root = join(import.meta.dir, "..", "..");
type Lock = { packages: Record<string, [string, string, object, string]> };
const lock = Bun.JSONC.parse(await readFile(join(root, "bun.lock"), "utf8")) as Lock;

function install(directory: string, ...more: string[]) {
  const command = [process.execPath, "install", "--frozen-lockfile", "--ignore-scripts", ...more];
  const { exitCode, stderr } = Bun.spawnSync(command, { cwd: directory });
  return { exitCode, stderr: stderr.toString() };
}

describe("the lockfile", () => {
  test("is asked for exact versions only", () => {
    const wanted = { ...packageJson.dependencies, ...packageJson.devDependencies };
    const loose = Object.entries(wanted).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version),
    );
    expect(loose).toEqual([]);
    expect(packageJson.packageManager).toBe(`bun@${packageJson.engines.bun}`);
  });

  test("has a hash of every package, and takes each from the registry", () => {
    const entries = Object.entries(lock.packages);
    expect(entries.length).toBeGreaterThan(100);
    const odd = entries.filter(
      ([, [resolved, registry, , integrity]]) =>
        !/^(?:@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+[\w.+-]*$/.test(resolved) ||
        registry !== "" ||
        !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity),
    );
    expect(odd).toEqual([]);
  });

  test("is in step with package.json", () => {
    expect(install(root, "--dry-run")).toMatchObject({ exitCode: 0 });
  });

  test("that is not in step stops the installation", async () => {
    const directory = await mkdtemp(join(tmpdir(), "gateway-lock-"));
    await cp(join(root, "bun.lock"), join(directory, "bun.lock"));
    const changed = {
      ...packageJson,
      dependencies: { ...packageJson.dependencies, jose: "6.0.0" },
    };
    await writeFile(join(directory, "package.json"), JSON.stringify(changed));
    expect(install(directory, "--dry-run").exitCode).not.toBe(0);
    await rm(directory, { recursive: true });
  });

  test("trusts no package to run scripts when it is installed", () =>
    expect(packageJson.trustedDependencies).toEqual([]));
});

describe("a build from the lockfile, without any script having run", () => {
  const directories: string[] = [];

  beforeAll(async () => {
    for (const place of ["here", "in/another/place"]) {
      const directory = join(await mkdtemp(join(tmpdir(), "gateway-build-")), place);
      directories.push(directory);
      await mkdir(directory, { recursive: true });
      for (const path of ["package.json", "bun.lock", "tsconfig.json", "src", "sql", "test/tools"])
        await cp(join(root, path), join(directory, path), { recursive: true });
      const { exitCode, stderr } = install(directory, "--production");
      if (exitCode !== 0) throw new Error(stderr);
      const command = [process.execPath, "test/tools/build.ts", "linux-x64"];
      const built = Bun.spawnSync(command, { cwd: directory });
      if (!built.success) throw new Error(built.stderr.toString());
    }
  }, 120_000);
  afterAll(() =>
    Promise.all(directories.map((directory) => rm(directory, { recursive: true, force: true }))),
  );

  const fileOf = (index: number, name: string) => Bun.file(join(directories[index] ?? "", name));
  const documentOf = async () => fileOf(0, "dist/claude-gateway.cdx.json").json();

  test("is the same bytes wherever it is made, and so is what is said of it", async () => {
    for (const name of ["dist/claude-gateway", "dist/claude-gateway.cdx.json"]) {
      const [one, other] = await Promise.all(
        [0, 1].map(async (index) => Bun.SHA256.hash(await fileOf(index, name).bytes(), "hex")),
      );
      expect(one).toBe(other);
    }
  });

  test("is described as CycloneDX 1.6 requires", async () => {
    const document = await documentOf();
    expect(document).toMatchObject({
      bomFormat: "CycloneDX",
      specVersion: "1.6",
      version: 1,
      serialNumber: expect.stringMatching(
        /^urn:uuid:[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-8[\da-f]{3}-[\da-f]{12}$/,
      ),
      metadata: {
        component: {
          type: "application",
          name: "claude-gateway",
          version: packageJson.version,
          hashes: [
            {
              alg: "SHA-256",
              content: Bun.SHA256.hash(await fileOf(0, "dist/claude-gateway").bytes(), "hex"),
            },
          ],
        },
      },
    });
    for (const { type, name, version, purl, licenses } of document.components) {
      expect(["library", "platform"]).toContain(type);
      expect(purl).toEndWith(`@${type === "platform" ? "bun-v" : ""}${version}`);
      expect(purl).toContain(name.replace("@", "%40"));
      expect(licenses.length).toBe(1);
    }
    const refs = document.components.map(
      (component: { "bom-ref": string }) => component["bom-ref"],
    );
    expect(new Set(refs).size).toBe(refs.length);
    const known = new Set([document.metadata.component["bom-ref"], ...refs]);
    for (const { ref, dependsOn } of document.dependencies)
      expect([ref, ...dependsOn].filter((name: string) => !known.has(name))).toEqual([]);
  });

  test("is described with the runtime, and the lockfile's version and hash of each package in it", async () => {
    const { components } = await documentOf();
    const [runtime, ...libraries] = components;
    expect(runtime).toMatchObject({ name: "bun", version: packageJson.engines.bun });
    const locked = Object.values(lock.packages).map(
      ([resolved, , , integrity]) => `${resolved} ${integrity}`,
    );
    for (const { name, version, hashes } of libraries) {
      const integrity = `sha512-${Buffer.from(hashes[0].content, "hex").toString("base64")}`;
      expect(locked).toContain(`${name}@${version} ${integrity}`);
    }
    const names = libraries.map(({ name }: { name: string }) => name);
    // Bundled by a static import, by one that is awaited, and by being embedded; of another package; and not at all.
    for (const name of ["jose", "@azure/identity", "@electric-sql/pglite", "@smithy/core"])
      expect(names).toContain(name);
    for (const name of Object.keys(packageJson.devDependencies)) expect(names).not.toContain(name);
  });
});
