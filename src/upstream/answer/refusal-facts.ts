// What of a provider's error text is for the log at its default level: its class, and what it names of the operator's cloud. The
// text itself may repeat a prompt, and is logged at debug level. Everything here is taken by a strict pattern, so that no word of
// a conversation gets through: whatever fits none of them is left out.
import { valueIn } from "../json.ts";

/** As many of each kind as are told. */
const factsMax = 4;

/** Members in which providers (AWS, Google, Azure, Anthropic) name the class of an error. */
const classMembers: ReadonlySet<string> = new Set([
  "__type",
  "code",
  "Code",
  "reason",
  "status",
  "type",
]);

/** Members below which there may be more of them. What else there is may be a part of the request. */
const pathMembers: ReadonlySet<string> = new Set(["details", "error", "errors", "message"]);

/** Objects and lists that are looked at. */
const visitsMax = 50;

/**
 * A class as providers spell it: `AccessDeniedException`, `rate_limit_error`, `PERMISSION_DENIED`, `429`. Of two words at least: a
 * single one could be anybody's.
 */
const errorClass =
  /^(?:[A-Z][a-z]{1,20}(?:[A-Z][a-z]{1,20}){1,5}|[a-z]{2,20}(?:_[a-z]{1,20}){1,5}|[A-Z]{2,20}(?:_[A-Z]{1,20}){1,5}|\d{3})$/;

/** An exception's name at the beginning of a text that is not JSON; AWS writes it so into streams. */
const leadingClass = /^[A-Za-z]{3,40}Exception\b/;

/** What a refusal names: who was refused, and which permission or resource it was about. */
const names: readonly RegExp[] = [
  /\barn:aws[a-z-]{0,12}:(?:iam|sts|bedrock|bedrock-mantle|aws-external-anthropic):[a-z\d-]{0,30}:(?:\d{12})?:[\w+=,.@:/-]{1,256}/g,
  /\b(?:bedrock|bedrock-mantle|aws-external-anthropic|sts):[A-Z][A-Za-z]{3,60}\b/g,
  /\baiplatform\.[A-Za-z]{3,40}\.[A-Za-z]{3,40}\b/g,
  /\bMicrosoft\.CognitiveServices\/[A-Za-z/*]{1,120}/g,
];

/**
 * The classes of an error, joined; empty when none is named.
 * @param text a body, or what stands for the error in a stream.
 * @param errorType AWS's header x-amzn-errortype, `AccessDeniedException:http://…`.
 */
export function errorClassesIn(text: string, errorType: string | null = null): string {
  const leading = [errorType ?? "", text].flatMap((words) => leadingClass.exec(words) ?? []);
  const start = text.search(/[[{]/);
  return listed([...leading, ...(start < 0 ? [] : classesOf(valueIn(text.slice(start))))]);
}

/**
 * The principals, permissions and resources that an error text names, joined; empty when it names none. Not for texts that are
 * about the request itself (400): what they name may be the conversation's.
 */
export function namesIn(text: string): string {
  return listed(names.flatMap((pattern) => text.match(pattern) ?? []));
}

function classesOf(json: unknown): string[] {
  const found: string[] = [];
  const waiting = [json];
  for (let visits = 0; waiting.length > 0 && visits < visitsMax; visits++) {
    const value = waiting.shift();
    if (Array.isArray(value)) waiting.push(...value.slice(0, factsMax));
    // An error as text inside another.
    else if (typeof value === "string") waiting.push(valueIn(value));
    else if (typeof value === "object" && value !== null) {
      for (const [name, member] of Object.entries(value)) {
        if (pathMembers.has(name)) waiting.push(member);
        else if (classMembers.has(name) && typeof member !== "object") found.push(String(member));
      }
    }
  }
  return found.filter((word) => errorClass.test(word));
}

function listed(facts: readonly string[]): string {
  return [...new Set(facts)].slice(0, factsMax).join(", ");
}
