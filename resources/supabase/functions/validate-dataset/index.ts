// The Edge Function validate-dataset: proves that a stored file is the one that was uploaded, and checks it by the
// rules of the desktop, in short invocations that hand over to each other.
import { handlerOf } from "./request.ts";
import { settingsFrom } from "./settings.ts";

Deno.serve(handlerOf(settingsFrom((name) => Deno.env.get(name))));
