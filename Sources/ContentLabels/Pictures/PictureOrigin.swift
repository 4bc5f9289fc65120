internal import Crypto

/// What is known of a picture that was drawn: what its labels are made of.
package struct PictureOrigin: Sendable, Equatable {
    /// The provider's number for it: the beginning of the SHA-256 of the file before anything was put into it, in hex. So
    /// the same picture has the same labels, whoever draws it how often, and its number tells nothing of its user.
    package let id: String
    package var model: String
    /// The beginning of the hash of what drew it; empty where unknown.
    package var revision = ""
    package var seed: UInt64
    /// In pixels.
    package var width: Int
    package var height: Int
    /// 0 where unknown.
    package var steps = 0
    package var guidanceScale: Float = 0
    /// `DDPM`, `DDIM`; empty where unknown.
    package var sampler = ""
    /// As the user wrote it and the filter let it pass.
    package var prompt = ""
    package var negativePrompt = ""

    /// - Parameter file: as it was drawn.
    package init(file: [UInt8], model: String, seed: UInt64, width: Int, height: Int) {
        id = SHA256.hash(data: file).prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        (self.model, self.seed, self.width, self.height) = (model, seed, width, height)
    }
}
