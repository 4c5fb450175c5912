// Which session of a client a request belongs to, as the client says.

/** Claude Code's id of one session, new with every start of it. */
const header = "x-claude-code-session-id";

/** Longest id that is taken for one, in characters; Claude Code's is a UUID. */
const lengthMax = 128;

/** The session id of a request; undefined when the client names none. */
export function sessionIdOf(headers: Headers): string | undefined {
  const id = headers.get(header);
  return id === null || id === "" || id.length > lengthMax ? undefined : id;
}
