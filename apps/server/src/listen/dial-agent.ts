import { dialLink, type LinkDialing } from '@writ/trust/certificates';

/** Connects to an agent that listens for its server. After the handshake the agent speaks HTTP/2 as the client, as always. */
export const dialAgent = async (dialing: LinkDialing): ReturnType<typeof dialLink> => await dialLink(dialing);
