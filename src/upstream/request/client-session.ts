// Which session of a client a request belongs to, and which agent in it, as the client says.

/** Claude Code's id of one session, new with every start of it. */
const sessionHeader = "x-claude-code-session-id";
/** Its id of a sub-agent; the session's own requests have none. */
const agentHeader = "x-claude-code-agent-id";

/** Longest id that is taken for one, in characters; Claude Code's are at most a UUID. */
const lengthMax = 128;

/** The session id of a request; undefined when the client names none. */
export function sessionIdOf(headers: Headers): string | undefined {
  return idIn(headers, sessionHeader);
}

/** The agent id of a request; undefined when the client names none. */
export function agentIdOf(headers: Headers): string | undefined {
  return idIn(headers, agentHeader);
}

function idIn(headers: Headers, name: string): string | undefined {
  const id = headers.get(name);
  return id === null || id === "" || id.length > lengthMax ? undefined : id;
}
