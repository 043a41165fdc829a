#!/usr/bin/env node
// Plain JavaScript that any Node understands: the check must work where the program does not.
const [major] = process.versions.node.split(".").map(Number);
if (major < 26) {
  console.error(
    `fiberlb: needs Node.js 26 or newer, this is ${process.versions.node} (${process.execPath}); install a newer one, or in a checkout use "npm start --"`,
  );
  process.exit(2);
}
await import("../dist/main.js");
