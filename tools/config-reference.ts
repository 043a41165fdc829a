// Writes docs/configuration.md from the schema that `fiberlb serve` checks with.
// Run: node --conditions=@fiberlb/source tools/config-reference.ts
import { readFileSync, writeFileSync } from "node:fs";

import { configKeys, configSchema } from "@fiberlb/server";

const FILE = new URL("../docs/configuration.md", import.meta.url);

const INTRODUCTION = `# Configuration of \`fiberlb serve\`

<!-- Made by tools/config-reference.ts from the schema; do not edit. -->

\`fiberlb serve --config fiberlb.yaml\` reads YAML. Every key has an environment variable, which wins over the file; lists
are JSON there (\`FIBERLB_BACKENDS_DENIED_CIDRS='["10.0.0.0/8"]'\`). Without a file every key has its default. An unknown
key is an error that names the nearest known one.

\`\`\`yaml
node: { name: lb-1 }
api: { listen: 127.0.0.1:9080 }
store: { kind: sqlite, path: /var/lib/fiberlb/fiberlb.db }
vipPools:
  - { name: default, cidrs: [203.0.113.0/24, 2001:db8::/120], autoAssign: true }
\`\`\`

SIGHUP re-reads the log level; a change of any other key is logged and needs a restart.
`;

/** The page as it should be. */
export function configurationPage(): string {
  const sections = Map.groupBy(configKeys(configSchema), (key) => key.path.split(".", 1)[0]!);
  const tables = [...sections].map(([section, keys]) => {
    const rows = keys.map(({ path, type, fallback, description, env }) => {
      const shown = fallback === undefined ? "" : `\`${fallback.replaceAll('"', "")}\``;
      return `| \`${path}\` | ${type} | ${shown} | ${description} | \`${env}\` |`;
    });
    return [
      `## ${section}`,
      "",
      "| key | value | default | what it does | environment |",
      "|---|---|---|---|---|",
      ...rows,
    ].join("\n");
  });
  return `${INTRODUCTION}\n${tables.join("\n\n")}\n`;
}

/** The page as it is. */
export const committedPage = (): string => readFileSync(FILE, "utf8");

if (import.meta.main) writeFileSync(FILE, configurationPage());
