// A gateway in front of an upstream of bare sockets, and how far its memory grows, as Linux tells it.
import { heldBy } from "../soak/resources.ts";
import { ask } from "./calls.ts";
import { messageEvents } from "./clouds.ts";
import { chunkOf } from "./frames.ts";
import { eventStream, openScene, type Scene } from "./scene.ts";
import { chunkOfBody, headOf, lastChunk, type SocketUpstream } from "./socket-upstream.ts";

const mebibyte = 1024 * 1024;
const aws = { aws_access_key_id: "AKIATEST", aws_secret_access_key: "aws-secret" };

export const model = "claude-sonnet-4-6";
export const asStream = { fields: { stream: true } };

export type WatchedGateway = {
  readonly scene: Scene;
  /** The most by which it has grown since it was warm, in MiB. */
  readonly grownMiB: () => number;
  readonly stop: () => Promise<void>;
};

/** One that has answered some calls. @param change of its configuration. */
export async function openWatched(
  upstream: SocketUpstream,
  provider: "anthropic" | "bedrock" | "foundry",
  change: object = {},
): Promise<WatchedGateway> {
  const own = {
    anthropic: { auth: { api_key: "k" } },
    bedrock: { region: "us-east-1", auth: aws },
    foundry: { resource: "example", auth: { api_key: "k" } },
  }[provider];
  const scene = await openScene((config) => {
    config.upstreams = [{ provider, base_url: upstream.url, ...own }];
    Object.assign(config, change);
  });
  upstream.answer = (socket) => {
    const body = provider === "bedrock" ? framed(messageEvents) : eventStream(messageEvents);
    socket.write(streamHead(provider));
    socket.write(Buffer.concat([chunkOfBody(body), Buffer.from(lastChunk)]));
  };
  for (let times = 0; times < 5; times++) await (await ask(scene, model, asStream)).text();
  const { pid } = scene.gateway;
  const before = heldBy(pid).residentBytes;
  let most = before;
  const watch = setInterval(() => {
    try {
      most = Math.max(most, heldBy(pid).residentBytes);
    } catch {
      // It has ended.
      clearInterval(watch);
    }
  }, 20);
  return {
    scene,
    grownMiB: () => (most - before) / mebibyte,
    async stop() {
      clearInterval(watch);
      await scene.stop();
    },
  };
}

/** The head of a stream as a provider writes it. */
export function streamHead(provider: string): string {
  return headOf(200, {
    "content-type":
      provider === "bedrock" ? "application/vnd.amazon.eventstream" : "text/event-stream",
    "transfer-encoding": "chunked",
  });
}

/** Events of the Messages API in Bedrock's frames. */
export function framed(events: readonly object[]): Buffer {
  return Buffer.concat(events.map((event) => chunkOf(JSON.stringify(event))));
}
