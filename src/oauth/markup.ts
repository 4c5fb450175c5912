// Owns how text becomes HTML: a template tag that escapes every value put into it, so that forgetting to escape is not
// possible. What the pages say lives in pages.ts.

/** HTML that is safe to write as it is. Only `markup` and `literalMarkup` make it. */
export type Markup = { readonly html: string };

/** A string is escaped, markup is written as it is, a list is written one after the other, undefined writes nothing. */
type Value = string | Markup | readonly Markup[] | undefined;

/**
 * Template tag: the literal parts are HTML written by us, every string put between them is text from somewhere else.
 * Attribute values must stand in double quotes.
 */
export function markup(literals: TemplateStringsArray, ...values: Value[]): Markup {
  return {
    html: literals.reduce((html, literal, index) => html + write(values[index - 1]) + literal),
  };
}

/** Takes a constant of our own (a style sheet, a drawing) as HTML without escaping. Never hand it a request's text. */
export function literalMarkup(html: string): Markup {
  return { html };
}

function write(value: Value): string {
  if (value === undefined) return "";
  if (typeof value === "string") return escapeHtml(value);
  if ("html" in value) return value.html;
  return value.map((part) => part.html).join("");
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? "");
}
