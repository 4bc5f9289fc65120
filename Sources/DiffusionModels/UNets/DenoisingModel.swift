package import Tensors

/// A model that says what is noise in pictures: the U-Net of a pipeline.
package protocol DenoisingModel: Sendable {
    /// Channels of what goes in and of what comes out.
    var channels: Int { get }
    /// Height and width that the model was made for, as it sees pictures; nil where its checkpoint does not say.
    var height: Int? { get }
    var width: Int? { get }
    /// Height and width must be multiples of this.
    var sideMultiple: Int { get }
    /// The kind of condition that it takes.
    var conditionKind: Condition.Kind { get }

    /// The model's output for noisy pictures x.
    ///
    /// - Parameters:
    ///   - x: `[B, h, w, channels]`.
    ///   - timestep: of all of them, 0 up to what the checkpoint was trained with.
    ///   - condition: of `conditionKind`, for B pictures.
    /// - Returns: `[B, h, w, channels]`, which the noise scheduler knows how to read.
    /// - Throws: `DiffusionError.cancelled` when the device was interrupted, `.invalidRequest` for another condition.
    func predict(_ x: FeatureMap, timestep: Float, condition: Condition) throws(DiffusionError) -> FeatureMap
}

/// What pictures are to show.
package enum Condition: Sendable {
    case none
    /// One class label a picture.
    case labels([Int32])
    /// One vector a picture: `[B, width]`.
    case vectors(Tensor)

    package enum Kind: Sendable, Equatable {
        case none
        case label
        case vector(width: Int)
    }
}
