import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.kafka.common.utils.Exit;

/**
 * Kafka's command-line tools, one after the other in one JVM, since starting that takes most of their
 * time. A line of stdin is a class and its arguments with tabs in between; for each there is a line
 * with its exit code and the octets of what it printed, and then these.
 */
public final class Tools {
    /** The first exit of a tool counts, and nothing that it says then: some catch what ends them. */
    private static volatile Integer exited;

    private static ByteArrayOutputStream said = new ByteArrayOutputStream();

    /** Scala's console keeps the stream that it finds first. */
    private static final OutputStream SAID = new OutputStream() {
        @Override
        public void write(int octet) {
            write(new byte[] {(byte) octet}, 0, 1);
        }

        @Override
        public void write(byte[] octets, int from, int length) {
            if (exited == null) {
                said.write(octets, from, length);
            }
        }
    };

    public static void main(String[] none) throws Exception {
        PrintStream out = System.out;
        System.setOut(new PrintStream(SAID, true, StandardCharsets.UTF_8));
        System.setErr(System.out);
        Exit.setExitProcedure((code, message) -> {
            exited = exited == null ? code : exited;
            throw new IllegalStateException("exit " + code);
        });
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            said = new ByteArrayOutputStream();
            int code = run(line.split("\t"));
            System.out.flush();
            out.println(code + " " + said.size());
            said.writeTo(out);
            out.flush();
        }
        Exit.resetExitProcedure();
        System.exit(0);
    }

    private static int run(String[] words) throws Exception {
        String[] args = Arrays.copyOfRange(words, 1, words.length);
        exited = null;
        try {
            Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (InvocationTargetException thrown) {
            if (exited == null) {
                thrown.getCause().printStackTrace();
                return 1;
            }
        }
        return exited == null ? 0 : exited;
    }
}
