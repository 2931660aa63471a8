// Who may talk to whom: the same apiVersion on both sides, and nothing else.
import { describe, expect, it } from 'vitest';
import { apiVersion, NegotiationError, negotiate } from '../../src/services/health';
import { openIn } from '../venue/helpers';
import { askHealth } from './health-asked';

describe('negotiation', () => {
  const served = async () => {
    const { venue } = await openIn();
    return (await askHealth(venue)).body;
  };
  const refusal = (client: unknown, health: unknown): NegotiationError => {
    try {
      negotiate(client as { apiVersion: number }, health);
    } catch (error) {
      return error as NegotiationError;
    }
    throw new Error('it was not refused');
  };

  it('gives the health back if both speak the same version', async () => {
    const health = await served();
    expect(negotiate({ apiVersion }, health)).toBe(health);
  });

  it('goes on with a 503, which has the health too', async () => {
    const { venue, clock } = await openIn();
    await clock.runUntil(venue.close());
    expect(negotiate({ apiVersion }, (await askHealth(venue)).body).status).toBe('closed');
  });

  it('fails closed for an older client, and says to update it', async () => {
    const health = { ...(await served()), apiVersion: 2 };
    const error = refusal({ apiVersion: 1 }, health);
    expect(error).toBeInstanceOf(NegotiationError);
    expect([error.update, error.message]).toEqual([
      'client',
      'the client speaks apiVersion 1 and the server 2: update the client, which is the older one',
    ]);
  });

  it('fails closed for a newer client, and says to update the server', async () => {
    const error = refusal({ apiVersion: 2 }, await served());
    expect([error.update, error.message]).toEqual([
      'server',
      'the client speaks apiVersion 2 and the server 1: update the server, which is the older one',
    ]);
  });

  const odd = [undefined, null, 0, 1, '1', [], [1], {}, { apiVersion: '1' }, { apiVersion: 1.5 }, { apiVersion: [1] }];
  const odder = [{ apiVersion: Number.NaN }, { apiVersion: -1 }, { apiVersion: 0 }, { apiVersion: 2 ** 60 }, () => 1];
  it.each([...odd, ...odder, { error: { code: 'not_found' } }, '<html>'])(
    'fails closed when either side says %j',
    (said) => {
      const [server, client] = [refusal({ apiVersion: 1 }, said), refusal(said, { apiVersion: 1 })];
      expect([server.update, server.message]).toEqual([
        'server',
        expect.stringMatching(/^the server does not say .* update the server/),
      ]);
      expect([client.update, client.message]).toEqual([
        'client',
        expect.stringMatching(/^the client does not say .* update the client/),
      ]);
      expect(refusal(said, said)).toBeInstanceOf(NegotiationError);
    },
  );
});
