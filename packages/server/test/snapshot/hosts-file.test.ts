import { expect, test } from "@jest/globals";

import { addressesInHosts } from "../../src/snapshot/hosts-file.ts";

const text = `# comment
127.0.0.1\tlocalhost
::1   localhost ip6-localhost # loopback
10.0.0.7 Db.Internal db
10.0.0.8 db.internal.example
not-an-address db
10.0.0.9
`;

test.each([
  ["localhost", ["127.0.0.1", "::1"]],
  ["ip6-localhost", ["::1"]],
  ["db.internal", ["10.0.0.7"]],
  ["db", ["10.0.0.7"]],
  ["internal", []],
  ["loopback", []],
  ["", []],
])("%j is %j", (name, addresses) => {
  expect(addressesInHosts(text, name)).toEqual(addresses);
});
