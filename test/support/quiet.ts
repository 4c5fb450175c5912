// Preloaded by `bun test`: the code under test does not chat between the test names. What the log says is tested on real
// processes, whose stderr is read.
import { setLogLevel } from "../../src/log.ts";

setLogLevel("error");
