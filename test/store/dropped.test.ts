// A statement that meets a connection in the moment in which it drops: it fails or is carried out, and is never said to have found
// nothing.
import { expect, test } from "bun:test";
import { createServer, Socket } from "node:net";
import { createDatabase } from "../../src/store/database.ts";
import { portOf } from "../support/idp.ts";
import { startPostgres } from "../support/postgres.ts";

test("a statement that is sent between the end of a connection and its being known is not answered with no rows", async () => {
  const server = await startPostgres();
  const { hostname, port, pathname } = new URL(await server.createDatabase());
  const sockets: Socket[] = [];
  const connections = 3;
  const database = createDatabase(
    {
      max: connections,
      user: "postgres",
      database: pathname.slice(1),
      socket() {
        const socket = new Socket();
        sockets.push(socket);
        return socket.connect(Number(port), hostname);
      },
    },
    { statementMs: 2_000, replaceWhenLate: true },
  );
  // So long that the client does not wait for more before it writes it.
  const long = "x".repeat(2_000);
  const outcome = () =>
    database.query`select 1 as one where ${long} <> ''`.then(
      (rows) => JSON.stringify(rows),
      () => "failed",
    );
  const all = () => Promise.all(Array.from({ length: connections }, outcome));
  const found = '[{"one":1}]';
  expect(await all()).toEqual([found, found, found]);
  expect(sockets).toHaveLength(connections);

  const sent: Promise<string>[] = [];
  for (const socket of sockets.slice(0, 2))
    socket.prependOnceListener("error", () => sent.push(outcome()));
  for (const socket of sockets) socket.destroy(new Error("the network has gone"));
  await Bun.sleep(10);
  expect(sent).toHaveLength(2);
  // Connects anew, with what the client has left of the old connections.
  expect(await outcome()).toBe(found);
  for (const each of await Promise.all(sent)) expect([found, "failed"]).toContain(each);
  expect(await all()).toEqual([found, found, found]);
  await database.close();
}, 20_000);

test("what ends without the server's word that it was carried out has failed", async () => {
  const authenticated = Buffer.from([82, 0, 0, 0, 8, 0, 0, 0, 0]);
  const readyForQuery = Buffer.from([90, 0, 0, 0, 5, 73]);
  const server = createServer((client) => {
    client.once("data", () => {
      client.write(Buffer.concat([authenticated, readyForQuery]));
      client.on("data", () => client.write(readyForQuery));
    });
    client.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const database = createDatabase(
    { max: 1, user: "postgres", socket: () => new Socket().connect(portOf(server), "127.0.0.1") },
    { statementMs: 2_000, replaceWhenLate: true },
  );
  const answer = database.query`select 1`.catch((error: Error) => error.message);
  expect(await answer).toBe("the connection dropped");
  await database.close();
  server.close();
}, 20_000);
