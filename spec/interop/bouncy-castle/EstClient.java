import java.io.ByteArrayInputStream;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.net.Socket;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import javax.net.ssl.KeyManagerFactory;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.est.ESTAuth;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.EnrollmentResponse;
import org.bouncycastle.est.jcajce.ChannelBindingProvider;
import org.bouncycastle.est.jcajce.JcaHttpAuthBuilder;
import org.bouncycastle.est.jcajce.JcaJceUtils;
import org.bouncycastle.est.jcajce.JsseESTServiceBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.jsse.BCSSLSocket;
import org.bouncycastle.jsse.provider.BouncyCastleJsseProvider;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequestBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

/**
 * The EST client of Bouncy Castle. Arguments: port, file of the trust anchor (PEM), TLS version, user:code, and operations, each
 * `what:alias:commonName`. Prints a line for each.
 */
public final class EstClient {
    private final String place;
    private final X509Certificate trustAnchor;
    private final String tlsVersion;
    private final String user;
    private final char[] code;
    /** What was enrolled, by its common name. */
    private final Map<String, KeyStore> enrolled = new HashMap<>();
    private final Map<String, KeyPair> keys = new HashMap<>();

    private EstClient(String[] words) throws Exception {
        place = "localhost:" + words[0];
        trustAnchor = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(new FileInputStream(words[1]));
        tlsVersion = words[2];
        String[] login = words[3].split(":", 2);
        user = login[0];
        code = login[1].toCharArray();
    }

    public static void main(String[] words) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        Security.addProvider(new BouncyCastleJsseProvider());
        EstClient client = new EstClient(words);
        for (int at = 4; at < words.length; at += 1) {
            String[] operation = words[at].split(":");
            System.out.println(words[at] + " " + client.run(operation[0], operation[1], operation[2]));
        }
    }

    private String run(String what, String alias, String name) throws Exception {
        switch (what) {
            case "cacerts":
                return String.valueOf(ESTService.storeToArray(service(alias, null).getCACerts().getCertificateStore()).length);
            case "csrattrs":
                return service(alias, null).getCSRAttributes().hasAttributesResponse() ? "some" : "none";
            case "enrol":
                return outcome(name, service(alias, null).simpleEnroll(false, request(name).build(signer(name)), login()));
            case "renew":
                return outcome(name, service(alias, name).simpleEnroll(true, request(name).build(signer(name)), null));
            case "unique":
                return outcome(name, service(alias, null).simpleEnrollPoP(false, request(name), signer(name), login()));
            case "serverkeygen": {
                EnrollmentResponse response = service(alias, null)
                    .simpleEnrollWithServersideCreation(request(name).build(signer(name)), login());
                return outcome(null, response) + " " + response.getPrivateKeyInfo().getPrivateKeyAlgorithm().getAlgorithm();
            }
            default:
                throw new IllegalArgumentException(what);
        }
    }

    /** With the certificate that was enrolled under this name, if one is given. */
    private ESTService service(String alias, String name) throws Exception {
        Set<TrustAnchor> anchors = Set.of(new TrustAnchor(trustAnchor, null));
        JsseESTServiceBuilder builder = new JsseESTServiceBuilder(
            place, JcaJceUtils.getCertPathTrustManager(anchors, null));
        builder.withLabel(alias);
        builder.withProvider("BCJSSE").withTLSVersion(tlsVersion).withTimeout(20_000);
        builder.withHostNameAuthorizer((host, session) -> host.equals("localhost"));
        builder.withChannelBindingProvider(new ChannelBindings());
        if (name != null) {
            KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX", "BCJSSE");
            factory.init(enrolled.get(name), new char[0]);
            builder.withKeyManagers(factory.getKeyManagers());
        }
        return builder.build();
    }

    private PKCS10CertificationRequestBuilder request(String name) throws Exception {
        return new JcaPKCS10CertificationRequestBuilder(new X500Name("CN=" + name), keyOf(name).getPublic());
    }

    private ContentSigner signer(String name) throws Exception {
        return new JcaContentSignerBuilder("SHA256withECDSA").build(keyOf(name).getPrivate());
    }

    private KeyPair keyOf(String name) throws Exception {
        KeyPair key = keys.get(name);
        if (key == null) {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            key = generator.generateKeyPair();
            keys.put(name, key);
        }
        return key;
    }

    /** Basic or Digest, as the server wants it. */
    private ESTAuth login() throws Exception {
        return new JcaHttpAuthBuilder(user, code).setNonceGenerator(new SecureRandom()).setProvider("BC").build();
    }

    private String outcome(String name, EnrollmentResponse response) throws Exception {
        if (!response.isCompleted()) return "wait " + (response.getNotBefore() - System.currentTimeMillis() > 0);
        X509CertificateHolder[] found = ESTService.storeToArray(response.getStore());
        if (name != null) keep(name, keyOf(name).getPrivate(), found[0]);
        return found.length + " " + found[0].getSubject();
    }

    private void keep(String name, PrivateKey key, X509CertificateHolder holder) throws Exception {
        X509Certificate certificate = (X509Certificate) CertificateFactory.getInstance("X.509")
            .generateCertificate(new ByteArrayInputStream(holder.getEncoded()));
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry(name, key, new char[0], new X509Certificate[] {certificate});
        enrolled.put(name, store);
        try (FileOutputStream file = new FileOutputStream(name + ".der")) {
            file.write(holder.getEncoded());
        }
    }

    /** Of TLS 1.2 alone: TLS 1.3 has no tls-unique. */
    private static final class ChannelBindings implements ChannelBindingProvider {
        @Override
        public boolean canAccessChannelBinding(Socket socket) {
            return socket instanceof BCSSLSocket;
        }

        @Override
        public byte[] getChannelBinding(Socket socket, String name) {
            return ((BCSSLSocket) socket).getConnection().getChannelBinding(name);
        }
    }
}
