// Builds a lab, says so, and is there to be killed.
import { Lab } from "../lab.ts";

const lab = await Lab.open();
console.log(lab.folder);
setInterval(() => undefined, 1000);
