/// Of the tokens that may follow, those that stay in a value whose containers are not known; and where in the vocabulary's tree
/// it depends on these.
struct MaskBeginning {
    struct Place {
        var node: Int
        /// What the node's byte is taken from, and the bytes of the token before it.
        var from: Configuration
        var path: [UInt8]
    }

    var mask: TokenMask
    var rest: [Place] = []
}
