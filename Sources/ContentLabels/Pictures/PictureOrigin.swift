/// What is known of a picture that was drawn: what its labels are made of.
package struct PictureOrigin: Sendable, Equatable {
    /// The provider's number for it, unique: ASCII, without secrets.
    package var id: String
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

    package init(id: String, model: String, seed: UInt64, width: Int, height: Int) {
        (self.id, self.model, self.seed, self.width, self.height) = (id, model, seed, width, height)
    }
}
