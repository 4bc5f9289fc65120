package import ConfigurationFiles
import Foundation
import NIOSSL

/// The certificate chain and the private key by which clients know the gateway.
package struct ServerCertificates: FileConfiguration {
    /// Those of the chain and of the key.
    package let files: [String]
    private let chain: [NIOSSLCertificateSource]
    private let key: NIOSSLPrivateKeySource
    private let end: Date

    package var summary: String { "valid until \(end.formatted(.iso8601))" }

    /// - Parameters:
    ///   - chainFile: in PEM form, the gateway's own certificate first, then those that vouch for it.
    ///   - keyFile: in PEM form, without a passphrase.
    /// - Throws: `ConfigurationError`: which file is at fault, why, and what to do.
    package init(chain chainFile: String, key keyFile: String) throws(ConfigurationError) {
        files = [chainFile, keyFile]
        let certificates: [NIOSSLCertificate]
        let chainBytes = try Self.bytes(of: chainFile)
        do { certificates = try NIOSSLCertificate.fromPEMBytes(chainBytes) } catch {
            throw ConfigurationError(
                file: chainFile,
                "there is no certificate in it that can be read; --tls-certificate takes PEM (-----BEGIN CERTIFICATE-----)"
            )
        }
        guard let first = certificates.first else {
            throw ConfigurationError(file: chainFile, "there is no certificate in it")
        }
        let keyBytes = try Self.bytes(of: keyFile)
        let privateKey: NIOSSLPrivateKey
        do { privateKey = try NIOSSLPrivateKey(bytes: keyBytes, format: .pem) } catch {
            let isLocked = String(decoding: keyBytes, as: UTF8.self).contains("ENCRYPTED")
            throw ConfigurationError(
                file: keyFile,
                isLocked
                    ? "the key has a passphrase; the gateway takes one without: openssl pkey -in FILE -out NEW"
                    : "there is no private key in it that can be read; --tls-key takes PEM (-----BEGIN PRIVATE KEY-----)"
            )
        }
        (chain, key) = (certificates.map { .certificate($0) }, .privateKey(privateKey))
        end = Date(timeIntervalSince1970: TimeInterval(first.notValidAfter))
        let beginning = Date(timeIntervalSince1970: TimeInterval(first.notValidBefore))
        guard end > .now else {
            throw ConfigurationError(
                file: chainFile, "the certificate expired at \(end.formatted(.iso8601)); put a renewed one there")
        }
        guard beginning <= .now else {
            throw ConfigurationError(
                file: chainFile,
                "the certificate is not valid before \(beginning.formatted(.iso8601)); is this machine's clock right?")
        }
        // Which does not compare them.
        do { _ = try NIOSSLContext(configuration: configuration) } catch {
            throw ConfigurationError(
                file: keyFile,
                "the key does not belong to the first certificate of \(chainFile), which has to be the gateway's own: "
                    + "\(error)")
        }
    }

    private static func bytes(of file: String) throws(ConfigurationError) -> [UInt8] {
        if let data = FileManager.default.contents(atPath: file) { return [UInt8](data) }
        let isThere = FileManager.default.fileExists(atPath: file)
        throw ConfigurationError(
            file: file, isThere ? "it cannot be read; may the gateway's user read it?" : "there is no such file")
    }

    var configuration: TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: key)
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        return configuration
    }

    fileprivate var override: NIOSSLContextConfigurationOverride {
        var override = NIOSSLContextConfigurationOverride()
        (override.certificateChain, override.privateKey) = (chain, key)
        return override
    }
}

/// The certificates in force, and the files behind them: a renewed certificate holds from the next connection on.
package typealias CertificateSource = ConfigurationSource<ServerCertificates>

extension ConfigurationSource where Value == ServerCertificates {
    /// - Throws: `ConfigurationError`, as `ServerCertificates`.
    package convenience init(chain: String, key: String) throws {
        let read: @Sendable () throws -> ServerCertificates = { try ServerCertificates(chain: chain, key: key) }
        self.init("certificates", try read(), read: read)
    }

    /// Each handshake takes what is in force then.
    var configuration: TLSConfiguration {
        var configuration = current.configuration
        configuration.sslContextCallback = { _, promise in promise.succeed(self.current.override) }
        return configuration
    }
}
