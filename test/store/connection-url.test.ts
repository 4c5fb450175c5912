// store.postgres_url in all the forms operators write it.
import { describe, expect, test } from "bun:test";
import { assert, property, string } from "fast-check";
import { parseConnectionUrl } from "../../src/store/connection-url.ts";

const messageOf = (url: string): string => {
  try {
    parseConnectionUrl(url);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error("expected the URL to be refused");
};

describe("a connection URL", () => {
  test("gives user, password, host, port and database", () => {
    expect(parseConnectionUrl("postgresql://app:secret@db.internal:6432/gateway")).toEqual({
      endpoints: [{ host: "db.internal", port: 6432 }],
      user: "app",
      password: "secret",
      database: "gateway",
      ssl: false,
      targetSessionAttrs: undefined,
      parameters: {},
    });
  });

  test("may leave everything out", () => {
    expect(parseConnectionUrl("postgres://")).toMatchObject({
      endpoints: [{ host: "localhost", port: 5432 }],
      user: undefined,
      password: undefined,
      database: undefined,
    });
  });

  test.each([
    [
      "postgres://h1,h2:5433,[::1]:5434/db",
      [
        { host: "h1", port: 5432 },
        { host: "h2", port: 5433 },
        { host: "::1", port: 5434 },
      ],
    ],
    ["postgres://%2Fvar%2Frun%2Fpostgresql/db", [{ host: "/var/run/postgresql", port: 5432 }]],
    [
      "postgres:///db?host=/cloudsql/project:region:db&port=5433",
      [{ host: "/cloudsql/project:region:db", port: 5433 }],
    ],
  ])("names hosts as in %s", (url, endpoints) => {
    expect(parseConnectionUrl(url)).toMatchObject({ endpoints, database: "db" });
  });

  test.each([
    ["p@ss", "p@ss"],
    ["p/w:rd#?", "p/w:rd#?"],
    ["100%", "100%"],
    ["p%40ss", "p@ss"],
  ])("takes the password %s as %s", (written, password) => {
    expect(parseConnectionUrl(`postgres://app:${written}@db:5432/gateway`)).toMatchObject({
      user: "app",
      password,
      endpoints: [{ host: "db", port: 5432 }],
      database: "gateway",
    });
  });

  test("an @ in the query does not count as the end of a password", () => {
    expect(
      parseConnectionUrl("postgres://app:secret@db/gateway?application_name=me@here"),
    ).toMatchObject({
      user: "app",
      endpoints: [{ host: "db", port: 5432 }],
      parameters: { application_name: "me@here" },
    });
  });

  test("brings back any password that is percent-encoded", () => {
    assert(
      property(string({ unit: "grapheme", minLength: 1 }), (password) => {
        const url = `postgres://app:${encodeURIComponent(password)}@db/gateway`;
        expect(parseConnectionUrl(url)).toMatchObject({
          user: "app",
          password,
          database: "gateway",
        });
      }),
    );
  });

  test.each([
    ["", false],
    ["?sslmode=disable", false],
    ["?sslmode=require", "require"],
    ["?sslmode=verify-full", "verify-full"],
  ])("with the query %p has TLS %p", (query, ssl) => {
    expect(parseConnectionUrl(`postgres://db/gateway${query}`).ssl).toEqual(ssl as never);
  });

  test("verifies against the CA file it names, and tells when that cannot be read", () => {
    const path = import.meta.path;
    const { ssl } = parseConnectionUrl(
      `postgres://db/gateway?sslmode=verify-full&sslrootcert=${path}`,
    );
    expect(ssl).toHaveProperty("ca");
    expect(messageOf("postgres://db/gateway?sslmode=verify-full&sslrootcert=/nowhere.pem")).toMatch(
      /store\.postgres_url.*sslrootcert.*\/nowhere\.pem/,
    );
  });

  test.each([
    "postgres://app:hunter2@[db/gateway",
    "postgres://app:hunter2@db:port/gateway",
    "postgres://app:hunter2@db:99999/gateway",
    "postgres://app:hunter2@db/gateway?sslmode=strict",
    "postgres://app:hunter2@db/gateway?target_session_attrs=fast",
    "hunter2",
  ])("that cannot be read (%p) names the setting and never the password", (url) => {
    expect(messageOf(url)).toContain("store.postgres_url");
    expect(messageOf(url)).not.toContain("hunter2");
  });
});
