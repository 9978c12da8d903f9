// SPDX-License-Identifier: Apache-2.0
// What java_test.sh has SunPKCS11 do: CONFIG PIN. Any surprise is an exception.
import java.security.*;
import java.util.Arrays;
import java.util.concurrent.*;
import javax.crypto.*;
import javax.crypto.spec.*;

public class Probe {
	static void sign(Provider token, KeyStore store, char[] pin, String alias, String algorithm) throws Exception {
		PrivateKey key = (PrivateKey) store.getKey(alias, pin);
		byte[] text = ("signed with " + algorithm).getBytes();
		Signature signer = Signature.getInstance(algorithm, token);
		signer.initSign(key);
		signer.update(text);
		byte[] signature = signer.sign();
		// Checked without the token, by what the JDK has itself.
		Signature verifier = Signature.getInstance(algorithm, algorithm.contains("EC") ? "SunEC" : "SunRsaSign");
		PublicKey published = KeyFactory.getInstance(key.getAlgorithm(), algorithm.contains("EC") ? "SunEC" : "SunRsaSign")
			.generatePublic(new java.security.spec.X509EncodedKeySpec(store.getCertificate(alias).getPublicKey().getEncoded()));
		verifier.initVerify(published);
		verifier.update(text);
		if (!verifier.verify(signature))
			throw new Exception(algorithm + ": not verified");
		Signature again = Signature.getInstance(algorithm, token);
		again.initVerify(published);
		again.update(text);
		if (!again.verify(signature))
			throw new Exception(algorithm + ": not verified by the token");
		again.initVerify(published);
		again.update("other".getBytes());
		if (again.verify(signature))
			throw new Exception(algorithm + ": another text verified by the token");
	}

	static void gcm(Provider token) throws Exception {
		KeyGenerator maker = KeyGenerator.getInstance("AES", token);
		maker.init(256);
		SecretKey key = maker.generateKey();
		byte[] nonce = new byte[12], text = new byte[1000];
		new SecureRandom().nextBytes(nonce);
		Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding", token);
		cipher.init(Cipher.ENCRYPT_MODE, key, new GCMParameterSpec(128, nonce));
		cipher.updateAAD("aad".getBytes());
		byte[] sealed = cipher.doFinal(text);
		cipher.init(Cipher.DECRYPT_MODE, key, new GCMParameterSpec(128, nonce));
		cipher.updateAAD("aad".getBytes());
		if (!Arrays.equals(text, cipher.doFinal(sealed)))
			throw new Exception("AES-GCM: another text");
		sealed[3] ^= 1;
		cipher.init(Cipher.DECRYPT_MODE, key, new GCMParameterSpec(128, nonce));
		cipher.updateAAD("aad".getBytes());
		try {
			cipher.doFinal(sealed);
		} catch (BadPaddingException | ProviderException expected) {
			return;
		}
		throw new Exception("AES-GCM: a tampered text was decrypted");
	}

	static void knownGcm(Provider token) throws Exception { // the key goes in, and the JDK's own cipher must agree
		byte[] raw = new byte[32], nonce = new byte[12], text = "plain text".getBytes();
		Arrays.fill(raw, (byte) 7);
		byte[][] sealed = new byte[2][];
		for (int i = 0; i < 2; i++) {
			Cipher cipher = i == 0 ? Cipher.getInstance("AES/GCM/NoPadding", token) : Cipher.getInstance("AES/GCM/NoPadding", "SunJCE");
			cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(raw, "AES"), new GCMParameterSpec(128, nonce));
			sealed[i] = cipher.doFinal(text);
		}
		if (!Arrays.equals(sealed[0], sealed[1]))
			throw new Exception("AES-GCM: not what SunJCE computes");
	}

	static void threads(Provider token, KeyStore store, char[] pin) throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(8);
		Future<?>[] parts = new Future<?>[8];
		for (int i = 0; i < parts.length; i++) {
			String alias = i % 2 == 0 ? "rsa" : "ec", algorithm = i % 2 == 0 ? "SHA256withRSA" : "SHA256withECDSA";
			parts[i] = pool.submit(() -> {
				for (int n = 0; n < 25; n++) {
					sign(token, store, pin, alias, algorithm);
					gcm(token);
				}
				return null;
			});
		}
		for (Future<?> part : parts)
			part.get();
		pool.shutdown();
	}

	public static void main(String[] arguments) throws Exception {
		Provider token = Security.getProvider("SunPKCS11").configure(arguments[0]);
		Security.addProvider(token);
		char[] pin = arguments[1].toCharArray();
		KeyStore store = KeyStore.getInstance("PKCS11", token);
		store.load(null, pin);
		sign(token, store, pin, "rsa", "SHA256withRSA");
		sign(token, store, pin, "ec", "SHA256withECDSA");
		System.out.println("signatures");
		gcm(token);
		knownGcm(token);
		System.out.println("gcm");
		threads(token, store, pin);
		System.out.println("threads");
	}
}
