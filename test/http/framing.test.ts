// Where one request ends and the next begins, over raw sockets: each sequence of bytes is read in one way, or refused and
// nothing after it is believed.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { byteSequences } from "../support/byte-sequences.ts";
import { listenNoting } from "../support/noting-listener.ts";
import { exchange } from "../support/raw-http.ts";

const { read, listener, port } = listenNoting();
afterAll(() => listener.drain(0));
beforeEach(() => void (read.length = 0));

for (const { what, bytes, read: wanted, statuses, closed } of byteSequences) {
  test(`${what}: ${statuses.join(" ") || "no answer"}`, async () => {
    const got = await exchange(port, bytes, { answers: statuses.length, closed });
    expect({ statuses: got.statuses, closed: got.closed, read }).toEqual({
      statuses,
      closed,
      read: wanted,
    });
  });
}

const malformedChunks = [
  "0x2\r\nhi",
  "+2\r\nhi",
  "-2\r\nhi",
  " 2\r\nhi",
  "2 \r\nhi",
  "\r\nhi",
  "2\nhi",
  "2;x\nhi",
  "2\r\nhiXX",
  "10000000000000002\r\nhi",
];
test.each(malformedChunks)("after a chunk of %j nothing is read", async (chunk) => {
  const hidden = "GET /hidden HTTP/1.1\r\nHost: b\r\n\r\n";
  const head = "POST /form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const got = await exchange(port, `${head}${chunk}\r\n0\r\n\r\n${hidden}`, {
    answers: 1,
    closed: true,
  });
  expect({ closed: got.closed, read }).toEqual({ closed: true, read: [] });
});

test("trailers, and what looks like them, are not read as a request", async () => {
  const hidden = "GET /hidden HTTP/1.1\r\nHost: b\r\n\r\n";
  for (const trailer of ["X: y\r\n\r\n", "", "XX"]) {
    const head = "POST /form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const got = await exchange(port, `${head}0\r\n${trailer}${hidden}`, {
      answers: 1,
      closed: true,
    });
    expect({ closed: got.closed, read }).toEqual({ closed: true, read: [] });
  }
});

test("a request behind one that takes its time ends the connection, and no answer is taken for another's", async () => {
  const later = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
  const got = await exchange(port, `${later}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`, {
    answers: 1,
    closed: true,
  });
  expect(got).toEqual({ statuses: [], text: "", closed: true });
  expect(read).toEqual(["GET /later "]);
});

test("a length that is more than what comes waits for the rest", async () => {
  const got = await exchange(
    port,
    "POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nGET /hidden HTTP/1.1",
    { answers: 1, closed: false },
  );
  expect(got.statuses).toEqual([200]);
  expect(read).toEqual(["POST /form GET /hidden HTTP/1.1"]);
});
