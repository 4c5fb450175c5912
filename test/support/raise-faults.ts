// Preloaded into a gateway by a test: a signal makes something go wrong where nobody catches it, as a bug would.
export const faultMessage = "canary-of-a-prompt\n    at canary (in the message)";

class Fault extends Error {
  readonly code = "EFAULT_TEST";
}

process.on("SIGUSR1", () => {
  throw new Fault(faultMessage);
});
process.on("SIGUSR2", () => {
  void Promise.reject(new Fault(faultMessage));
  // Not every library throws errors.
  void Promise.reject(faultMessage);
});
