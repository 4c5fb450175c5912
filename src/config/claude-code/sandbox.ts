// The `sandbox` setting of Claude Code 2.1.330: what commands may reach on a developer's machine. From public documentation and
// observed answers.
import { Type } from "@sinclair/typebox";
import { open, text } from "../pieces.ts";
import { aFlag, anything, oneOf, someText, texts } from "./kinds.ts";

const network = Type.Object(
  {
    allowedDomains: texts,
    deniedDomains: texts,
    strictAllowlist: aFlag,
    allowManagedDomainsOnly: aFlag,
    allowUnixSockets: texts,
    allowAllUnixSockets: aFlag,
    allowLocalBinding: aFlag,
    allowMachLookup: texts,
    httpProxyPort: Type.Optional(Type.Number()),
    socksProxyPort: Type.Optional(Type.Number()),
    tlsTerminate: Type.Optional(Type.Object({ caCertPath: someText, caKeyPath: someText }, open)),
  },
  open,
);

const filesystem = Type.Object(
  {
    allowRead: texts,
    allowWrite: texts,
    denyRead: texts,
    denyWrite: texts,
    allowManagedReadPathsOnly: aFlag,
    disabled: aFlag,
  },
  open,
);

/** What a masked credential may say beyond where it is; a denied one is not looked into. */
const maskFields = {
  extract: Type.Optional(
    Type.String({
      pattern: "\\((?!\\?(?:[:=!]|<[=!]))",
      description: "a regular expression whose first group is the secret, for example token: (.+)",
    }),
  ),
  onExtractNoMatch: oneOf("warn", "deny", "error"),
  decode: Type.Optional(Type.Literal("jwt")),
  maskClaims: Type.Optional(
    Type.Array(text("the name of a claim"), {
      minItems: 1,
      whenEmpty: "needs at least one claim; leave maskClaims out to mask the whole token",
    }),
  ),
  injectHosts: texts,
};

const filePath = text("the path of a file");
const variableName = Type.String({
  pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
  description: "the name of an environment variable",
});

const credentials = Type.Object(
  {
    files: Type.Optional(
      Type.Array(
        Type.Union(
          [
            Type.Object({ mode: Type.Literal("deny"), path: filePath }, open),
            Type.Object(
              {
                mode: Type.Literal("mask"),
                path: filePath,
                ...maskFields,
                maskDuplicates: aFlag,
              },
              open,
            ),
          ],
          { discriminator: "mode" },
        ),
      ),
    ),
    envVars: Type.Optional(
      Type.Array(
        Type.Union(
          [
            Type.Object({ mode: Type.Literal("deny"), name: variableName }, open),
            Type.Object({ mode: Type.Literal("mask"), name: variableName, ...maskFields }, open),
          ],
          { discriminator: "mode" },
        ),
      ),
    ),
    awsPairs: Type.Optional(
      Type.Array(
        Type.Object(
          {
            accessKeyIdVar: variableName,
            secretAccessKeyVar: variableName,
            sessionTokenVar: Type.Optional(variableName),
          },
          open,
        ),
      ),
    ),
    sigv4: Type.Optional(
      Type.Object(
        {
          streaming: oneOf("deny", "passthrough"),
          presigned: oneOf("deny", "passthrough"),
          sigv4a: oneOf("deny", "passthrough"),
        },
        open,
      ),
    ),
    allowPlaintextInject: aFlag,
  },
  open,
);

export const sandbox = Type.Object(
  {
    enabled: aFlag,
    failIfUnavailable: aFlag,
    autoAllowBashIfSandboxed: aFlag,
    allowUnsandboxedCommands: aFlag,
    excludedCommands: texts,
    /** A command to the paths it may probe without a report. */
    ignoreViolations: Type.Optional(Type.Record(Type.String(), Type.Array(Type.String()))),
    network: Type.Optional(network),
    filesystem: Type.Optional(filesystem),
    credentials: Type.Optional(credentials),
    enableWeakerNestedSandbox: aFlag,
    enableWeakerNetworkIsolation: aFlag,
    allowAppleEvents: aFlag,
    ripgrep: Type.Optional(Type.Object({ command: Type.String(), args: texts }, open)),
    bwrapPath: anything,
    socatPath: anything,
  },
  open,
);
