// What the client keeps of its session, in the file where it keeps it.
import { join } from "node:path";
import type { Workplace } from "./terminal.ts";

export type Credentials = {
  /** The bearer. */
  jwt: string;
  /** When it expires, in milliseconds since the epoch, as the client sees it. */
  expiresAt: number;
  /** The refresh token, until one is refused. */
  idpRefreshToken?: string;
};

/** @throws Error when there are none. */
export async function credentialsIn(workplace: Workplace): Promise<Credentials> {
  return (await read(workplace)).enterpriseGateway;
}

export async function hasCredentials(workplace: Workplace): Promise<boolean> {
  return Bun.file(pathIn(workplace)).exists();
}

/** From now on the client takes its bearer for expired: before it asks anything it has to refresh. */
export async function takeForExpired(workplace: Workplace): Promise<void> {
  const stored = await read(workplace);
  const enterpriseGateway = { ...stored.enterpriseGateway, expiresAt: Date.now() - 1000 };
  await Bun.write(pathIn(workplace), JSON.stringify({ ...stored, enterpriseGateway }));
}

async function read(workplace: Workplace): Promise<{ enterpriseGateway: Credentials }> {
  return Bun.file(pathIn(workplace)).json();
}

function pathIn({ configDirectory }: Workplace): string {
  return join(configDirectory, ".credentials.json");
}
