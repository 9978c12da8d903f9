// SPDX-License-Identifier: Apache-2.0
// A TLS server for java_test.sh whose key is in the token: CONFIG PIN ALIAS. Eight threads accept on one port, which it prints; each
// answers with its number. It ends with its standard input.
import java.net.*;
import java.security.*;
import java.security.cert.X509Certificate;
import javax.net.ssl.*;

public class TlsServer {
	// The one key that was asked for, whatever else is in the token.
	static class OneKey extends X509ExtendedKeyManager {
		final X509ExtendedKeyManager all;
		final String alias;

		OneKey(X509ExtendedKeyManager all, String alias) {
			this.all = all;
			this.alias = alias;
		}
		String match(String type) {
			PrivateKey key = all.getPrivateKey(alias);
			return key != null && type.startsWith(key.getAlgorithm()) ? alias : null;
		}
		public String chooseEngineServerAlias(String type, Principal[] issuers, SSLEngine engine) { return match(type); }
		public String chooseServerAlias(String type, Principal[] issuers, Socket socket) { return match(type); }
		public String[] getServerAliases(String type, Principal[] issuers) { return new String[] {alias}; }
		public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) { return null; }
		public String[] getClientAliases(String type, Principal[] issuers) { return null; }
		public X509Certificate[] getCertificateChain(String name) { return all.getCertificateChain(name); }
		public PrivateKey getPrivateKey(String name) { return all.getPrivateKey(name); }
	}

	static void serve(ServerSocket listener, int number) {
		byte[] answer = ("HTTP/1.0 200 OK\r\n\r\n" + number + "\n").getBytes();
		while (true) {
			try (Socket socket = listener.accept()) {
				socket.getInputStream().read(new byte[4096]);
				socket.getOutputStream().write(answer);
			} catch (Exception error) {
				System.err.println(error); // a client that does not trust us leaves
			}
		}
	}

	public static void main(String[] arguments) throws Exception {
		Provider token = Security.getProvider("SunPKCS11").configure(arguments[0]);
		Security.addProvider(token);
		char[] pin = arguments[1].toCharArray();
		KeyStore store = KeyStore.getInstance("PKCS11", token);
		store.load(null, pin);
		KeyManagerFactory factory = KeyManagerFactory.getInstance("SunX509");
		factory.init(store, pin);
		OneKey key = new OneKey((X509ExtendedKeyManager) factory.getKeyManagers()[0], arguments[2]);
		SSLContext context = SSLContext.getInstance("TLS");
		context.init(new KeyManager[] {key}, null, null);
		ServerSocket listener = context.getServerSocketFactory().createServerSocket(0, 100, InetAddress.getLoopbackAddress());
		for (int i = 0; i < 8; i++) {
			int number = i;
			Thread thread = new Thread(() -> serve(listener, number));
			thread.setDaemon(true);
			thread.start();
		}
		System.out.println("port " + listener.getLocalPort());
		while (System.in.read() >= 0)
			;
	}
}
