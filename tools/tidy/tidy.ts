// `npm run tidy`: prints every breach of the laws, one a line; `npm run tidy -- packages/maglev` those below a path.
import { root } from "../test-run/command.ts";
import { format } from "./law.ts";
import { laws } from "./laws.ts";
import { readRepository } from "./repository.ts";

const under = process.argv[2] ?? "";
const repository = readRepository(root);
const violations = laws.flatMap((law) => law.check(repository)).filter(({ file }) => file.startsWith(under));
for (const violation of violations) console.log(format(violation));
console.log(`${repository.files.length} files, ${laws.length} laws, ${violations.length} violations`);
process.exitCode = violations.length === 0 ? 0 : 1;
