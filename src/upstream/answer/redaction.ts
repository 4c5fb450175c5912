// Takes out of an upstream's text what is not for its reader: the names of the operator's cloud accounts where it goes to a
// developer (which texts do is rejection.ts's), and credentials, wherever it goes.
//
// The reference relays the message of an Anthropic envelope as it is, ARNs included. Here no ARN, account or project id
// reaches a client, whoever wrote it down: what looks like one becomes `…`. Numbers that are none stay, because Claude Code
// reads them (`prompt is too long: 210000 tokens > 200000 maximum`); twelve digits are an account only where the text says so.

const replacement = "…";

/**
 * The text is an upstream's: every repeat that can be tried from more than one place has an upper bound. Those that have none
 * take all that they pass.
 */
const identifiers: readonly RegExp[] = [
  // An ARN of any partition (`aws`, `aws-cn`, `aws-us-gov`), also percent-encoded as in a path.
  /arn(?::|%3a)aws[^\s"'`]*/gi,
  // A Google service account: its address holds the id or the number of the project.
  /[\w.-]{1,64}@[\w.-]{0,120}gserviceaccount\.com/gi,
  // The resource names of Google Cloud and Azure.
  /(?:projects|organizations|billingAccounts|subscriptions)(?:\/|%2f)[^\s"'`]*/gi,
  // A workspace of Anthropic's.
  /wrkspc_\w+/g,
  // What is left of an ARN without its head.
  /(?<=:|%3a)\d{12}(?=:|%3a)/gi,
  // An AWS account, with "account" before or after it.
  /(?<!\d)\d{4}-?\d{4}-?\d{4}(?!\d)(?:(?<=account.{0,100})|(?=.{0,40}account))/gis,
  // A Google project: in quotes; or with the hyphen or digit that tells its id from a word; or by number.
  /(?<=project(?:[\s_-]?(?:id|number|name))?[\s:=#("'`\\]{1,6})\w[\w.:-]{0,62}(?=\\?["'`])/gi,
  /(?<=project(?:[\s_-]?(?:id|number|name))?[\s:=#("'`\\]{1,6})(?:[a-z](?=[\w.:-]{0,62}[\d-])[\w.:-]{0,62}|\d{9,})/gi,
];

/**
 * Some upstreams quote the request they refuse: AWS the one that a wrong signature should have been for, session token
 * included; a proxy all its headers. So a value goes by the name before it, as header blocks, forms and JSON (also inside
 * JSON) write it, or by the scheme before it.
 */
const credentials: readonly RegExp[] = [
  /(?<=\bBearer\s)[^\s"'\\]+/gi,
  /(?<=\bCredential=)[^\s"'\\,/]+/g,
  /(?<=(?:token|secret|assertion|password|api[_-]?key|identity[_-]header)\\{0,3}["']?\s?[:=]\s?\\{0,3}["']?)[^\s"'\\&,;]{8,}/gi,
];

/** For a developer: the text with `…` in place of every ARN, every account or project id, and every credential. */
export function redacted(text: string): string {
  return replaced(withoutCredentials(text), identifiers);
}

/** For the log, whose readers may know the accounts: the text with `…` in place of every credential that is named as one. */
export function withoutCredentials(text: string): string {
  return replaced(text, credentials);
}

function replaced(text: string, patterns: readonly RegExp[]): string {
  return patterns.reduce((left, pattern) => left.replace(pattern, replacement), text);
}
