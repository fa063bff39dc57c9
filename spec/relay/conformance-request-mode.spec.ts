/** What a device sees of a chain of two gateways is what it sees of one; the relay reads the answers. */
import './through-request-mode.ts';
import '../conformance/authentication.spec.ts';
import '../conformance/cacerts.spec.ts';
import '../conformance/csrattrs.spec.ts';
import '../conformance/device-identity.spec.ts';
import '../conformance/fullcmc.spec.ts';
import '../conformance/http.spec.ts';
import '../conformance/linking.spec.ts';
import '../conformance/policy.spec.ts';
import '../conformance/serverkeygen.spec.ts';
import '../conformance/simpleenroll.spec.ts';
import '../conformance/simplereenroll.spec.ts';
import '../conformance/transport.spec.ts';
import '../interop/curl.spec.ts';
import '../interop/python.spec.ts';
import '../interop/strongswan.spec.ts';
