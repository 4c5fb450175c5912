// What is inside an executable, as a CycloneDX document (https://cyclonedx.org/docs/1.6/json/): the packages whose files the
// bundler took in, with version, licence and the lockfile's hash of what was downloaded, and the runtime. From the same files
// comes the same document, byte for byte. build.ts writes it beside the executable.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What Bun's bundler says of its inputs, by path. */
export type Inputs = Readonly<Record<string, unknown>>;

type Package = {
  /** As the lockfile keys it: the names of the packages that it lies in, and its own. */
  key: string;
  name: string;
  version: string;
  license: string;
  dependencies: readonly string[];
  /** Subresource integrity of the download. */
  integrity: string;
};

/** bun.lock, as much of it as is read here: name@version, registry, facts, integrity. */
type Lock = { packages: Record<string, [string, string, object, string]> };

/**
 * The document, as text.
 * @param options.inputs of the bundle; paths are relative to `options.root`.
 * @param options.executable bytes whose SHA-256 the document bears.
 * @throws Error when a file belongs to a package that the lockfile does not have.
 */
export async function softwareBillOf(options: {
  root: string;
  inputs: Inputs;
  version: string;
  executable: Uint8Array;
}): Promise<string> {
  const { root, inputs, version, executable } = options;
  const packages = await packagesOf(root, inputs);
  const refOf = ({ name, version: of }: Package) =>
    `pkg:npm/${name.replace("@", "%40")}@${encodeURIComponent(of)}`;
  const byKey = new Map(packages.map((each) => [each.key, each]));
  const refsOfDependencies = ({ key, dependencies }: Pick<Package, "key" | "dependencies">) =>
    dependencies
      .flatMap((name) => nearest(byKey, key, name) ?? [])
      .map(refOf)
      .toSorted();
  const gateway = `pkg:generic/claude-gateway@${encodeURIComponent(version)}`;
  const runtime = `pkg:github/oven-sh/bun@bun-v${Bun.version}`;
  const { dependencies } = await manifestAt(root);

  const content = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      // No timestamp: it would be the only thing that differs from build to build.
      tools: { components: [{ type: "application", name: "bun", version: Bun.version }] },
      component: {
        "bom-ref": gateway,
        type: "application",
        name: "claude-gateway",
        version,
        purl: gateway,
        licenses: [{ license: { id: "Apache-2.0" } }],
        hashes: [{ alg: "SHA-256", content: hex("sha256", executable) }],
      },
    },
    components: [
      {
        "bom-ref": runtime,
        type: "platform",
        name: "bun",
        version: Bun.version,
        description: `the runtime that the executable holds, revision ${Bun.revision}`,
        purl: runtime,
        licenses: [{ license: { id: "MIT" } }],
        // JavaScriptCore and what else is linked into it have licences of their own.
        externalReferences: [{ type: "license", url: "https://bun.com/docs/project/license" }],
      },
      ...unique(packages, refOf).map((each) => ({
        "bom-ref": refOf(each),
        type: "library",
        name: each.name,
        version: each.version,
        purl: refOf(each),
        licenses: [licenceOf(each.license)],
        hashes: [{ alg: "SHA-512", content: sha512In(each.integrity) }],
      })),
    ],
    dependencies: [
      {
        ref: gateway,
        dependsOn: [
          runtime,
          ...refsOfDependencies({ key: "", dependencies: Object.keys(dependencies ?? {}) }),
        ],
      },
      ...unique(packages, refOf).map((each) => ({
        ref: refOf(each),
        dependsOn: refsOfDependencies(each),
      })),
    ],
  };
  const serialNumber = `urn:uuid:${uuidOf(hex("sha256", JSON.stringify(content)))}`;
  return `${JSON.stringify({ ...content, serialNumber }, null, 2)}\n`;
}

/** The packages that files of the bundle lie in, ordered by name and place. */
async function packagesOf(root: string, inputs: Inputs): Promise<Package[]> {
  const { packages } = Bun.JSONC.parse(await readFile(join(root, "bun.lock"), "utf8")) as Lock;
  const places = new Set(
    Object.keys(inputs).flatMap(
      (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
    ),
  );
  const found = [...places].map(async (place): Promise<Package> => {
    const key = place.split("node_modules/").slice(1).join("");
    const integrity = packages[key]?.[3];
    if (integrity === undefined) throw new Error(`bun.lock has no ${key}`);
    const { name, version, license, dependencies } = await manifestAt(join(root, place));
    return {
      key,
      name,
      version,
      license,
      dependencies: Object.keys(dependencies ?? {}),
      integrity,
    };
  });
  return (await Promise.all(found)).toSorted((one, other) => (one.key < other.key ? -1 : 1));
}

async function manifestAt(directory: string) {
  return JSON.parse(await readFile(join(directory, "package.json"), "utf8")) as {
    name: string;
    version: string;
    license: string;
    dependencies?: Record<string, string>;
  };
}

/** As Node.js resolves it: in the package itself, then in each that it lies in. */
function nearest(byKey: ReadonlyMap<string, Package>, from: string, name: string) {
  for (let at = from; at !== ""; at = at.replace(/(?:^|\/)(?:@[^/]+\/)?[^/]+$/, "")) {
    const found = byKey.get(`${at}/${name}`);
    if (found !== undefined) return found;
  }
  return byKey.get(name);
}

/** One of each: the same version may lie in several places. */
function unique(packages: readonly Package[], refOf: (of: Package) => string): Package[] {
  return [...new Map(packages.map((each) => [refOf(each), each])).values()];
}

/** An SPDX expression where the package gives more than one licence. */
function licenceOf(license: string) {
  return /\s/.test(license) ? { expression: license } : { license: { id: license } };
}

function sha512In(integrity: string): string {
  const [, base64 = ""] = /^sha512-(.+)$/.exec(integrity) ?? [];
  return Buffer.from(base64, "base64").toString("hex");
}

function hex(algorithm: "sha256", content: string | Uint8Array): string {
  return createHash(algorithm).update(content).digest("hex");
}

/** A UUID of version 8 (RFC 9562 §5.8: made by its maker's own rule), of the first half of a hash. */
function uuidOf(hash: string): string {
  const digits = `${hash.slice(0, 12)}8${hash.slice(13, 16)}8${hash.slice(17, 32)}`;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
