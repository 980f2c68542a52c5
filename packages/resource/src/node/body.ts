import { FORM_LIMITS, type Form, parseForm, type Result, refuse } from "@credence/protocol";
import type { NodeIncoming } from "./request.ts";

/**
 * Reads the form of a request of Node as its bytes come, up to the limit of a form; what goes beyond is passed over, and not kept.
 *
 * @param req - A POST of a form, whose body nobody has read.
 * @returns the form; refused as by `readForm`. Never rejects.
 * @see RFC 6749 §3.2
 */
export function readNodeForm(req: NodeIncoming): Promise<Result<Form>> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const end = (form: Result<Form>): void => {
      // Whoever is still sending reads no answer: what comes flows on and is lost, within the listener's time limit.
      req.off("data", take).off("end", whole).off("close", broken).off("error", broken);
      resolve(form);
    };
    const take = (chunk: Uint8Array): void => {
      size += chunk.byteLength;
      if (size > FORM_LIMITS.bytes) end(refuse("form-too-large", `more than ${FORM_LIMITS.bytes} bytes`));
      else chunks.push(chunk);
    };
    const whole = (): void => end(parseForm(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    const broken = (): void => end(refuse("form-malformed", "the body broke off"));
    req.on("data", take).on("end", whole).on("close", broken).on("error", broken);
  });
}
