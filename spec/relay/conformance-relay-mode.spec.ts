/**
 * As in request mode, but the answers of the upstream go on as they come in: left out is what decides about their form,
 * and a client that goes away.
 */
import './through-relay-mode.ts';
import '../conformance/authentication.spec.ts';
import '../conformance/device-identity.spec.ts';
import '../conformance/linking.spec.ts';
import '../conformance/simpleenroll.spec.ts';
import '../conformance/simplereenroll.spec.ts';
import '../interop/curl.spec.ts';
