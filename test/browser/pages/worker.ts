// A worker of any kind: dedicated, shared or service. Does what it is told and answers on the port that came with it.
import { liveShortly } from './work';

interface Scope {
  onmessage: unknown;
  onconnect: unknown;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}

const hear = ({ data, ports: [port] }: MessageEvent) => {
  liveShortly(data).then(
    (outcome) => port!.postMessage(outcome),
    (error) => port!.postMessage({ error: String(error) }),
  );
};

const scope = globalThis as unknown as Scope;
scope.addEventListener('message', hear);
scope.onconnect = ({ ports: [port] }: MessageEvent) => {
  port!.onmessage = hear;
};
