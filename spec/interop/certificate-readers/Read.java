import java.io.FileInputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Map;

/** Reads certificates (PEM) by Java's own parser and prints each subject (RFC 2253) in a line. */
public final class Read {
    public static void main(String[] files) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String file : files) {
            try (FileInputStream in = new FileInputStream(file)) {
                X509Certificate certificate = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
                certificate.getSubjectAlternativeNames();
                out.println(certificate.getSubjectX500Principal().getName("RFC2253", Map.of()));
            }
        }
    }
}
