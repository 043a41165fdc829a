import preset from "../jest.preset.mjs";

const [testMatch] = preset.testMatch;

export default { ...preset, rootDir: import.meta.dirname, testMatch: [testMatch.replace("/test/", "/")] };
