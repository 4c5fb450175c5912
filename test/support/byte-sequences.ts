// Requests that two readers could read in two ways, each with the one way in which the gateway reads it. `hidden` is what a
// reader that loses its place would take for a request.

export type ByteSequence = {
  what: string;
  /** One character a byte. */
  bytes: string;
  /** `METHOD path body` of each request that reaches a handler. */
  read: string[];
  /** Of the answers. */
  statuses: number[];
  closed: boolean;
};

const hidden = "GET /hidden HTTP/1.1\r\nHost: b\r\n\r\n";
const next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

const refusedWith = (status: number) => (what: string, bytes: string) => ({
  what,
  bytes,
  read: [],
  statuses: [status],
  closed: true,
});
const refused = refusedWith(400);

const post = (head: string, body: string) =>
  `POST /form HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n${body}`;
const chunks = `2\r\nhi\r\n0\r\n\r\n${hidden}`;
/** A body that is a request for whoever takes the length for 0. */
const asBody = `Content-Length: ${hidden.length}`;

const lengths: ByteSequence[] = [
  ...[
    "+2",
    "-2",
    "0x2",
    "2, 2",
    "2 2",
    "2a",
    "2.0",
    "",
    "\x0b2",
    "2\0",
    "18446744073709551618",
  ].map((length) =>
    refused(
      `a length of ${JSON.stringify(length)}`,
      post(`Content-Length: ${length}`, `hi${hidden}`),
    ),
  ),
  refused("the same length twice", post("Content-Length: 2\r\nContent-Length: 2", `hi${hidden}`)),
  refused("a length, then 0", post(`${asBody}\r\nContent-Length: 0`, hidden)),
  refused("0, then a length", post(`Content-Length: 0\r\n${asBody}`, hidden)),
  refused("a blank before the colon of a length", post("Content-Length : 2", `hi${hidden}`)),
  refused("a length on a folded line", post(`X: y\r\n ${asBody}`, hidden)),
  refusedWith(413)("a length past 2^53", post("Content-Length: 9007199254740993", "hi")),
  {
    what: "a length with zeros before it",
    bytes: post("Content-Length: 02", `hi${next}`),
    read: ["POST /form hi", "GET /next "],
    statuses: [200, 200],
    closed: false,
  },
  {
    what: "a body that looks like a request",
    bytes: post(asBody, hidden),
    read: [`POST /form ${hidden}`],
    statuses: [200],
    closed: false,
  },
  {
    what: "a GET with a body",
    bytes: `GET /form HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi${next}`,
    // It is taken in and not given to anybody.
    read: ["GET /form ", "GET /next "],
    statuses: [200, 200],
    closed: false,
  },
];

const lengthRequired = refusedWith(411);
const codings: ByteSequence[] = [
  lengthRequired("chunks", post("Transfer-Encoding: chunked", chunks)),
  lengthRequired(
    "chunks on a GET",
    `GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
  ),
  lengthRequired(
    "chunks of a health check",
    `GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
  ),
  lengthRequired(
    "a chunk extension",
    post("Transfer-Encoding: chunked", `2;x=y\r\nhi\r\n0\r\n\r\n${hidden}`),
  ),
  refused("chunks and a length", post("Transfer-Encoding: chunked\r\nContent-Length: 2", chunks)),
  refused(
    "a length and chunks",
    post(`${asBody}\r\nTransfer-Encoding: chunked`, `0\r\n\r\n${hidden}`),
  ),
  ...[
    "xchunked",
    "chunked, identity",
    "identity",
    "gzip, chunked",
    '"chunked"',
    "chunked;q=1",
    "",
    "\x0bchunked",
    "chunked\0",
    "chunked\x0b",
  ].map((coding) =>
    refused(`a coding of ${JSON.stringify(coding)}`, post(`Transfer-Encoding: ${coding}`, chunks)),
  ),
  refused(
    "no known coding and a length",
    post("Transfer-Encoding: xchunked\r\nContent-Length: 2", `hi${hidden}`),
  ),
  refused(
    "an empty coding and a length",
    post("Transfer-Encoding:\r\nContent-Length: 2", `hi${hidden}`),
  ),
  refused(
    "two codings on two lines",
    post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", chunks),
  ),
  refused(
    "chunked twice",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", chunks),
  ),
  refused("a blank before the colon of a coding", post("Transfer-Encoding : chunked", chunks)),
  refused("a tab before the colon of a coding", post("Transfer-Encoding\t: chunked", chunks)),
  refused("a coding on a folded line", post("Transfer-Encoding:\r\n chunked", chunks)),
  refused("a coding after a bare line feed", post("X: y\nTransfer-Encoding: chunked", chunks)),
  refused(
    "chunks for HTTP/1.0",
    `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
  ),
];

const heads: ByteSequence[] = [
  refused("a bare line feed between fields", `GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n${hidden}`),
  refused("a bare carriage return in a value", `GET / HTTP/1.1\r\nHost: a\r\nX: y\rZ: w\r\n\r\n`),
  refused("a NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n"),
  refused("a NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\0: y\r\n\r\n"),
  refused("a control character in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: y\x01z\r\n\r\n"),
  refused("a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"),
  refused("a first line that is folded", "GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n"),
  refused("a field without a colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
  refused("a field without a name", "GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n"),
  refused("a name with a blank", "GET / HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n"),
  refused("no Host", `GET / HTTP/1.1\r\nX: y\r\n\r\n${hidden}`),
  refused("two Hosts", `GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${hidden}`),
  ...[
    "",
    "a/b",
    "a?b",
    "a#b",
    "u:p@a",
    "a b",
    "a\\b",
    "a:b",
    "a:",
    "a:999999",
    "a%2fb",
    "a, b",
    "[::1",
    "<a>",
  ].map((host) =>
    refused(
      `a Host of ${JSON.stringify(host)}`,
      `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n${hidden}`,
    ),
  ),
  refusedWith(431)(
    "two hundred fields and more",
    `GET / HTTP/1.1\r\nHost: a\r\n${"X: y\r\n".repeat(250)}\r\n`,
  ),
];

const lines: ByteSequence[] = [
  refusedWith(505)("bare line feeds alone", `GET / HTTP/1.1\nHost: a\n\n${hidden}`),
  refusedWith(505)("a blank in the path", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
  refusedWith(505)("a tab in the path", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n"),
  refusedWith(505)("a NUL in the path", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("two blanks before the path", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
  refusedWith(505)("tabs in place of blanks", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"),
  refusedWith(505)("HTTP/0.9", "GET /\r\n\r\n"),
  refusedWith(505)("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
  refusedWith(505)("a version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n"),
  refused("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  refused("a TLS handshake", `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${"A".repeat(60)}`),
  refused("the PROXY protocol", `PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n${next}`),
  refused("an asterisk for a path", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("an authority for a path", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a relative path", "GET x HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("another scheme", "GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n"),
  {
    what: "an unknown method",
    bytes: "FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    read: [],
    statuses: [],
    closed: true,
  },
  {
    what: "HTTP/1.0 without a Host",
    bytes: `GET /next HTTP/1.0\r\n\r\n${hidden}`,
    read: ["GET /next "],
    statuses: [200],
    closed: true,
  },
  {
    what: "a CONNECT",
    bytes: "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
    read: ["CONNECT a:443 "],
    statuses: [200],
    closed: false,
  },
  {
    what: "pipelined requests",
    bytes: `${next}${post("Content-Length: 2", "hi")}${next}`,
    read: ["GET /next ", "POST /form hi", "GET /next "],
    statuses: [200, 200, 200],
    closed: false,
  },
  {
    what: "a request after the last one",
    bytes: `GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n${hidden}`,
    read: ["GET /next "],
    statuses: [200],
    closed: true,
  },
];

export const byteSequences: readonly ByteSequence[] = [...lengths, ...codings, ...heads, ...lines];
