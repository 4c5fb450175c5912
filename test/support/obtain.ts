// A process that asks for a cloud's credential as a gateway does, in an environment that a test gives it, and says what came.
// Started by obtainWith (internet.ts).
import { messageOf } from "../../src/log.ts";
import { createAzureCredential } from "../../src/upstream/azure/credentials.ts";
import { createGoogleCredential } from "../../src/upstream/google/credentials.ts";

const [kind, source] = JSON.parse(process.argv[2] ?? "");
const options = { owner: "upstream 'cloud'", now: Date.now };
const credential =
  kind === "google"
    ? createGoogleCredential({ keyFile: undefined, ...source }, options)
    : createAzureCredential(source.baseUrl, options);

try {
  const first = await credential.get();
  credential.refused(first);
  console.log(JSON.stringify({ proofs: [first, await credential.get()] }));
} catch (error) {
  console.log(JSON.stringify({ proofs: [], error: messageOf(error) }));
}
process.exit(0);
