// A root directory with the content of the image that Dockerfile describes, and a way to run it as a container engine
// would: chroot, an unprivileged uid, everything read-only but /data. It stands in for a Docker engine in tests; the
// libraries are this machine's own, so what glibc the executable asks for is checked apart (image.test.ts).
import { existsSync } from "node:fs";
import { chmod, chown, copyFile, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** The uid and gid of `nonroot` in distroless images, and what Dockerfile runs it as. */
export const nonroot = 65532;

/** What distroless/cc-debian12 has of glibc and of gcc's runtime, as shared objects. Nothing else may be needed. */
const libraries = (
  "ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 " +
  "libresolv.so.2 libnss_dns.so.2 libnss_files.so.2 libgcc_s.so.1 libstdc++.so.6"
).split(" ");

const certificates = "/etc/ssl/certs/ca-certificates.crt";

/** Inside a mount namespace of its own: make $1 the root, writable nowhere but in /data, and become the gateway. */
const enter = `
set -eu
root=$1; shift
mount --bind "$root" "$root"
mount --rbind /proc "$root/proc"
for node in null zero full random urandom; do mount --bind "/dev/$node" "$root/dev/$node"; done
mount --bind "$root/data" "$root/data"
mount -o remount,bind,ro "$root"
exec chroot --userspec=${nonroot}:${nonroot} --groups=${nonroot} "$root" "$@"
`;

/** A running container's stand-in. `stderr` fills as the process writes; `pid` is the gateway's, once it runs. */
type Running = {
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  exited: Promise<number>;
  /** Resolves when the stderr seen so far matches; throws after `seconds`, or when the process ends first. */
  said(pattern: RegExp, seconds: number): Promise<void>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
};

export type Image = {
  root: string;
  /** Runs a command of the image with no other environment than `env` and the image's own. */
  run(command: readonly string[], env?: Record<string, string>): Running;
  remove(): Promise<void>;
};

/** What Dockerfile says to run, as an engine would. */
export async function dockerfileCommands(
  path: string,
): Promise<{ start: string[]; health: string[] }> {
  const text = await Bun.file(path).text();
  const listAfter = (instruction: RegExp): string[] => {
    const list = text.match(new RegExp(`^${instruction.source}\\s*(\\[.*\\])$`, "ms"))?.[1];
    if (list === undefined) throw new Error(`${path} has no ${instruction.source}`);
    const words: string[] = JSON.parse(list.split("\n", 1)[0] ?? "");
    return words;
  };
  return {
    start: [...listAfter(/ENTRYPOINT/), ...listAfter(/CMD/)],
    health: listAfter(/HEALTHCHECK[^[]*CMD/),
  };
}

/** Why images cannot be run here, or `undefined` when they can. */
export function cannotRun(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64")
    return "the image that is tested is linux-x64";
  if (process.getuid?.() !== 0) return "chroot and mounts need root";
  const missing = ["unshare", "chroot", "mount", "ldconfig"].filter(
    (tool) => Bun.which(tool) === null,
  );
  if (missing.length > 0) return `this machine lacks ${missing.join(", ")}`;
  const tried = Bun.spawnSync(["unshare", "--mount", "true"], {
    stdout: "ignore",
    stderr: "ignore",
  });
  return tried.success ? undefined : "mount namespaces are not allowed here";
}

/** Lays out the image: `executable` as /claude-gateway, `config` as /etc/claude-gateway/gateway.yaml, an empty /data. */
export async function layOut(executable: string, config: string): Promise<Image> {
  const root = await mkdtemp(join(tmpdir(), "gateway-image-"));
  await chmod(root, 0o755);
  const put = async (path: string, content: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  };
  for (const directory of ["proc", "dev", "tmp", "data", "home/nonroot"])
    await mkdir(join(root, directory), { recursive: true });
  for (const node of ["null", "zero", "full", "random", "urandom"]) await put(`dev/${node}`, "");
  for (const { from, to } of installed()) {
    await mkdir(dirname(join(root, to)), { recursive: true });
    await copyFile(await realpath(from), join(root, to));
  }
  if (existsSync(certificates)) {
    await mkdir(dirname(join(root, certificates)), { recursive: true });
    await copyFile(certificates, join(root, certificates));
  }
  await put(
    "etc/passwd",
    `root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:${nonroot}:${nonroot}:nonroot:/home/nonroot:/sbin/nologin\n`,
  );
  await put("etc/group", `root:x:0:\nnonroot:x:${nonroot}:\n`);
  await put("etc/nsswitch.conf", "hosts: files dns\n");
  await put("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"); // an engine mounts this
  await put("etc/claude-gateway/gateway.yaml", config);
  await copyFile(executable, join(root, "claude-gateway"));
  await chmod(join(root, "claude-gateway"), 0o755);
  await chown(join(root, "data"), nonroot, nonroot);
  return {
    root,
    run: (command, env) => run(root, command, env),
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

/** Where this machine has each library, and where the image's loader looks for it. */
function installed(): { from: string; to: string }[] {
  const listed = Bun.spawnSync(["ldconfig", "-p"]).stdout.toString().split("\n");
  return libraries.flatMap((name) => {
    const line = listed.find(
      (text) => text.trimStart().startsWith(`${name} (`) && text.includes("x86-64"),
    );
    const from = line?.split(" => ")[1];
    // Newer glibc has no file of its own for some of these names: they are part of libc.
    return from === undefined
      ? []
      : [{ from, to: name.startsWith("ld-linux") ? `lib64/${name}` : from }];
  });
}

function run(root: string, command: readonly string[], env: Record<string, string> = {}): Running {
  const child = Bun.spawn(["unshare", "--mount", "sh", "-c", enter, "enter", root, ...command], {
    cwd: "/",
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/home/nonroot",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const heard = { stdout: "", stderr: "" };
  const drained = Promise.all([
    collect(child.stdout, heard, "stdout"),
    collect(child.stderr, heard, "stderr"),
  ]);
  return {
    pid: child.pid,
    get stdout() {
      return heard.stdout;
    },
    get stderr() {
      return heard.stderr;
    },
    exited: drained.then(() => child.exited),
    kill: (signal) => child.kill(signal),
    async said(pattern, seconds) {
      const until = Date.now() + seconds * 1000;
      while (!pattern.test(heard.stderr)) {
        if (child.exitCode !== null || Date.now() > until) {
          throw new Error(
            `no ${String(pattern)} within ${seconds} s (exit code ${child.exitCode}):\n${heard.stderr}`,
          );
        }
        await Bun.sleep(20);
      }
    },
  };
}

async function collect<Name extends string>(
  stream: ReadableStream<Uint8Array>,
  into: Record<Name, string>,
  name: Name,
) {
  const decoder = new TextDecoder();
  for await (const chunk of stream) into[name] += decoder.decode(chunk, { stream: true });
}
