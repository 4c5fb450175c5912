// YAML text → its nodes: which YAML is read, how deep, and what is said when it is none. What the nodes are taken for is in
// document.ts.
import { Composer, type CST, type Document, Lexer, LineCounter, Parser, visit } from "yaml";
import { depthMax } from "./expand.ts";
import { ConfigError, type ConfigProblem } from "./problems.ts";

export type Position = Pick<ConfigProblem, "line" | "column">;

/** Syntax errors reported; one missing bracket causes many. */
export const syntaxErrorsMax = 5;

/**
 * Reads YAML 1.2 (and so JSON) with the core schema: `yes` and `1_000` are text. Merge keys (`<<`) work. Keys are text.
 * @returns the nodes, and the place of an offset.
 * @throws ConfigError for what is no such YAML, for several documents, and for what is nested too deep.
 */
export function nodesOf(text: string): { document: Document; at: (offset: number) => Position } {
  const lines = new LineCounter();
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const composer = new Composer({
    logLevel: "error",
    merge: true,
    prettyErrors: false, // Those repeat the line, which may be the one with the secret.
    resolveKnownTags: false,
    schema: "core",
    stringKeys: true,
    uniqueKeys: false, // document.ts checks: the package's own check takes a minute for a file of 80,000 keys.
    version: "1.2",
  });
  const source = shielded(text);
  const [document, another] = composer.compose(tokensOf(source, lines), true, source.length);
  if (document === undefined) throw new Error("the YAML parser made no document");
  // A tag nobody resolves is a warning to the parser, and to us a value that is not what was meant.
  const syntaxErrors = [...document.errors, ...document.warnings].map(({ message, pos }) =>
    problem(withoutSource(message), at(pos[0])),
  );
  if (another !== undefined)
    syntaxErrors.push(problem("the file holds multiple documents", at(another.range[0])));
  if (syntaxErrors.length > 0) throw new ConfigError(syntaxErrors.slice(0, syntaxErrorsMax));

  if (source !== text) unshield(document);
  return { document, at };
}

/**
 * The parser's tokens. It keeps what is open on a stack of its own; whatever comes after it recurses, and takes time that
 * grows with the square of the depth, so that too deep a text has to end here.
 * @throws ConfigError
 */
function* tokensOf(text: string, lines: LineCounter): Generator<CST.Token> {
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    // Beside what is nested: the document, and the scalar that is being read. expand.ts counts by the value.
    if (parser.stack.length <= depthMax + 2) continue;
    const { line, col } = lines.linePos(parser.offset - lexeme.length);
    const message = `is nested deeper than ${depthMax} levels`;
    throw new ConfigError([{ path: "", line, column: col, message }]);
  }
  yield* parser.end();
}

function problem(message: string, position: Position): ConfigProblem {
  return { path: "", ...position, message: `YAML: ${message}` };
}

/**
 * `{ jwt_secret: ${SECRET} }` is no YAML: a brace ends plain text within braces. People write it all the same, and it can
 * mean one thing only, so the braces of an expansion are hidden from the parser, as characters of the private use area.
 * Every character keeps its place.
 */
function shielded(text: string): string {
  return text.replaceAll(/\$\{(\w+|file:[^{}\n]*)\}/g, "$$\uE000$1\uE001");
}

/** Puts the braces back, in keys and values. */
function unshield(document: Document): void {
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value !== "string") return;
      node.value = node.value.replaceAll(/\$\uE000([^\uE000\uE001]*)\uE001/g, "$${$1}");
    },
  });
}

/** Parser messages may end in a piece of the file after a colon. The line and column say as much. */
function withoutSource(message: string): string {
  return message.replace(/: .*$/s, "");
}
