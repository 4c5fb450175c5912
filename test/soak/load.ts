// The mixed load of the soak: what developers' clients, administrators and strangers ask for, each kind by a few who ask again
// and again with a pause between. Whether an answer is as it should be is judged here; what may excuse it is tally.ts's.
import { connect } from "node:net";
import { group, person } from "../support/spending.ts";
import { adminKey, model } from "../support/spending.ts";
import { deviceFlow, type Tokens } from "../support/sign-in.ts";
import type { GatewayProcess } from "../support/gateway.ts";
import type { Kind, Tally } from "./tally.ts";
import type { World } from "./world.ts";

export type Load = {
  /** Resolves when everybody's last request has ended. */
  stop(): Promise<void>;
};

type Client = {
  readonly kind: Kind;
  /** How many of them there are, and the longest pause of each, in milliseconds. */
  readonly count: number;
  readonly pauseMs: number;
  readonly ask: (gateway: GatewayProcess, name: string) => Promise<boolean>;
};

/** A request that has no answer by then has none, in milliseconds. */
const patienceMs = 60_000;

/** The most that a stream is charged that was left before it told its usage: by its text, which is longer than what it tells. */
const estimatedCentsMax = 300;

export function startLoad(world: World, tally: Tally, random: () => number): Load {
  const over = new AbortController();
  const between = (from: number, to: number) => from + Math.floor(random() * (to - from));
  const clients = clientsOf(world, tally, between);
  const running = clients.flatMap((client) =>
    Array.from({ length: client.count }, (_, index) => repeat(client, `${client.kind}-${index}`)),
  );

  async function repeat({ kind, pauseMs, ask }: Client, name: string): Promise<void> {
    while (!over.signal.aborted) {
      // As a load balancer does: to one of those that are there.
      const gateways = [world.steady, world.other()].filter((gateway) => gateway !== undefined);
      const gateway = gateways[between(0, gateways.length)] ?? world.steady;
      await tally.count(kind, () => ask(gateway, name));
      await Bun.sleep(between(0, pauseMs));
    }
  }

  return {
    async stop() {
      over.abort();
      await Promise.all(running);
    },
  };
}

function clientsOf(
  world: World,
  tally: Tally,
  between: (from: number, to: number) => number,
): Client[] {
  const body = (cents: number, text: string, more: object = {}) =>
    JSON.stringify({
      model,
      max_tokens: cents,
      messages: [{ role: "user", content: text }],
      ...more,
    });

  async function call(gateway: GatewayProcess, name: string, text: string, signal: AbortSignal) {
    return fetch(`${gateway.url}/v1/messages`, {
      method: "POST",
      headers: { authorization: `Bearer ${await world.bearer(name)}` },
      body: text,
      signal,
    });
  }

  /** A call that is to be answered in full. What it cost is certain when it was. */
  async function answered(
    gateway: GatewayProcess,
    name: string,
    text: string,
    isWhole: (answer: string) => boolean,
  ): Promise<boolean> {
    const cents = Number(/"max_tokens":(\d+)/.exec(text)?.[1]);
    let complete = false;
    try {
      const response = await call(gateway, name, text, AbortSignal.timeout(patienceMs));
      const answer = await response.text();
      complete = response.status === 200 && isWhole(answer);
      if (!complete) throw new Error(`${response.status} ${answer.slice(-200)}`);
      return true;
    } finally {
      tally.spend(name, cents, complete);
    }
  }

  const bearerOf = async (name: string) => ({
    authorization: `Bearer ${await world.bearer(name)}`,
  });
  const get = async (url: string, headers: Record<string, string> = {}) => {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(patienceMs) });
    await response.arrayBuffer();
    return response.status;
  };
  const signedIn = new Map<string, Tokens>();
  const flowAt = (gateway: GatewayProcess) => deviceFlow({ gateway, idp: world.idp });

  return [
    {
      kind: "whole",
      count: 8,
      pauseMs: 100,
      ask: (gateway, name) =>
        answered(gateway, name, body(between(1, 50), "hello"), (answer) => answer.endsWith("}")),
    },
    {
      kind: "whole",
      count: 2,
      pauseMs: 300,
      ask: (gateway, name) =>
        answered(gateway, name, body(between(1, 50), "long ".repeat(18_000)), (answer) =>
          answer.endsWith("}"),
        ),
    },
    {
      kind: "stream",
      count: 30,
      pauseMs: 500,
      ask: (gateway, name) =>
        answered(
          gateway,
          name,
          body(between(1, 50), `for ${between(200, 4_000)} ms`, { stream: true }),
          (answer) => answer.includes("event: message_stop"),
        ),
    },
    {
      kind: "abort",
      count: 3,
      pauseMs: 500,
      async ask(gateway, name) {
        const leaving = new AbortController();
        const cents = 50;
        try {
          const response = await call(
            gateway,
            name,
            body(cents, "for 3000 ms", { stream: true }),
            leaving.signal,
          );
          const reader = response.body?.getReader();
          await reader?.read();
        } finally {
          leaving.abort();
          tally.spend(name, estimatedCentsMax, false);
        }
        return true;
      },
    },
    {
      kind: "stuck",
      count: 5,
      pauseMs: 1_000,
      async ask(gateway, name) {
        const text = body(50, "for 2000 ms", { stream: true });
        tally.spend(name, estimatedCentsMax, false);
        const { authorization } = await bearerOf(name);
        await readsNothing(gateway, authorization, text, between(2_000, 8_000));
        return true;
      },
    },
    {
      kind: "read",
      count: 3,
      pauseMs: 400,
      async ask(gateway, name) {
        const headers = await bearerOf(name);
        const paths = ["/v1/models", "/managed/settings", "/user/bootstrap", "/api/oauth/usage"];
        const statuses = await Promise.all(paths.map((path) => get(gateway.url + path, headers)));
        // No policies are configured, so there are no settings.
        return statuses.every((status) => status === 200 || status === 404);
      },
    },
    {
      kind: "sign-in",
      count: 2,
      pauseMs: 2_000,
      async ask(gateway, name) {
        const tokens = await flowAt(gateway).signIn();
        signedIn.set(name, tokens);
        return (await get(`${gateway.url}/v1/models`, bearing(tokens))) === 200;
      },
    },
    {
      kind: "refresh",
      count: 2,
      pauseMs: 1_000,
      async ask(gateway, name) {
        const known = signedIn.get(name.replace("refresh", "sign-in"));
        if (known?.refresh_token === undefined) return true;
        const response = await flowAt(gateway).refresh(known.refresh_token);
        const answer = (await response.json()) as { error?: string };
        // A person who is signed out because the IdP is away is what this is about: no fault excuses it.
        if (answer.error === "invalid_grant") tally.wrong(`${name}: invalid_grant`);
        return response.status === 200;
      },
    },
    {
      kind: "sign-out",
      count: 1,
      pauseMs: 3_000,
      async ask(gateway) {
        const flow = flowAt(gateway);
        const tokens = await flow.signIn();
        const revoked = await flow.post("/oauth/revoke", { token: tokens.access_token });
        if (revoked.status !== 200) throw new Error(`revocation answered ${revoked.status}`);
        // At every replica within five seconds.
        await Bun.sleep(5_000);
        const replicas = [world.steady, world.other()].filter((each) => each !== undefined);
        const statuses = await Promise.all(
          replicas.map((replica) => get(`${replica.url}/v1/models`, bearing(tokens))),
        );
        if (statuses.some((status) => status !== 401))
          throw new Error(`ended, and ${statuses.join()}`);
        return true;
      },
    },
    {
      kind: "telemetry",
      count: 3,
      pauseMs: 300,
      async ask(gateway, name) {
        const response = await fetch(`${gateway.url}/v1/metrics`, {
          method: "POST",
          headers: { ...(await bearerOf(name)), "content-type": "application/json" },
          body: JSON.stringify({ resourceMetrics: [] }),
        });
        world.collector.received.length = 0;
        for (const { seen } of Object.values(world.upstreams)) seen.length = 0;
        return response.status === 200;
      },
    },
    {
      kind: "admin",
      count: 1,
      pauseMs: 1_000,
      async ask(gateway) {
        const scopes = [person("nobody"), group("nobodies")];
        const headers = { "x-api-key": adminKey };
        const response = await fetch(`${gateway.url}/v1/organizations/spend_limits`, {
          method: "POST",
          headers,
          body: JSON.stringify({ scope: scopes[between(0, 2)], amount: String(between(1, 999)) }),
        });
        await response.arrayBuffer();
        return response.status === 200;
      },
    },
    {
      kind: "junk",
      count: 3,
      pauseMs: 300,
      async ask(gateway, name) {
        const junk = ["{", '{"model":1}', "[".repeat(10_000), "\0".repeat(100), ""];
        const text = junk[between(0, junk.length)] ?? "";
        const response = await call(gateway, name, text, AbortSignal.timeout(patienceMs));
        await response.arrayBuffer();
        const stranger = await get(`${gateway.url}/v1/models`, { authorization: "Bearer junk" });
        return response.status === 400 && stranger === 401;
      },
    },
  ];
}

function bearing(tokens: Tokens): Record<string, string> {
  return { authorization: `Bearer ${tokens.access_token}` };
}

/** Asks for a stream, reads nothing of it for a while, and leaves. */
function readsNothing(
  gateway: GatewayProcess,
  authorization: string,
  text: string,
  forMs: number,
): Promise<void> {
  const { hostname, port } = new URL(gateway.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => {
      socket.pause();
      socket.write(
        `POST /v1/messages HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: ${authorization}\r\n` +
          `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      );
    });
    socket.on("error", () => undefined);
    socket.once("close", () => resolve());
    setTimeout(() => socket.destroy(), forMs);
  });
}
