/**
 * Stands for the package `undici` in the bundles: the Agent, its connector and request() only, from undici's own files. The
 * whole package drags in fetch, WebSocket, caches, mocks and a second HTTP parser: three times the size and
 * cold start. A name that is not exported here fails the build, so nothing can go missing at run time.
 */
import buildConnector from 'undici/lib/core/connect.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import apiRequest from 'undici/lib/api/api-request.js';

// What undici's main file does for all of its API methods: makes `agent.request(...)` work.
Dispatcher.prototype.request = apiRequest;

/**
 * undici's `request(url, options)`, except that there is no global dispatcher: `options.dispatcher` is
 * required.
 */
export function request(url, { dispatcher, method, ...options }) {
  const { origin, pathname, search } = new URL(url);
  return apiRequest.call(dispatcher, {
    ...options,
    origin,
    path: `${pathname}${search}`,
    method: method ?? (options.body ? 'PUT' : 'GET'),
  });
}

export { Agent, buildConnector };
