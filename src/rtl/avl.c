/*
 * avl.c - AVL trees: the two subtrees of a node differ by one level at most, so that n nodes have at most 1.44 log2(n) levels.
 * A node's balance is the levels of its right subtree less those of its left. After a change the way up is walked:
 *
 *     balance was       a subtree grew on side s         a subtree lost a level on side s
 *     0                 becomes s, go on upwards         becomes -s, done
 *     -s                becomes 0, done                  s: becomes 0, go on upwards
 *     s                 2s: turn the node, done          -s: -2s: turn the node; go on unless the tall child was even
 *
 * Turning a node whose right subtree is two levels too high (mirrored for the left one):
 *
 *       node                    child          the child leans left:  node                        grand
 *       /  \                    /   \                                 /  \                        /     \
 *      a   child    --->     node    c                               a   child     --->        node     child
 *          /   \             /  \                                        /   \                 /  \      /  \
 *         b     c           a    b                                    grand   d               a    b    c    d
 *
 * Source      Adelson-Velsky and Landis, 1962; Knuth, The Art of Computer Programming, volume 3, section 6.2.3.
 */
#include "rtl/avl.h"

typedef PRTL_BALANCED_LINKS node_t;

/* -1: the left side, 1: the right one. */
static node_t *child_at(node_t node, int side) { return side < 0 ? &node->LeftChild : &node->RightChild; }

static int side_of(node_t node) { return node->Parent->LeftChild == node ? -1 : 1; }

static void link(node_t parent, int side, node_t child)
{
    *child_at(parent, side) = child;
    if (child != NULL)
        child->Parent = parent;
}

/* The child on `side` takes the node's place. */
static node_t turn(node_t node, int side)
{
    node_t child = *child_at(node, side), parent = node->Parent;
    int    at = side_of(node);

    link(node, side, *child_at(child, -side));
    link(child, -side, node);
    link(parent, at, child);
    return child;
}

/* The node is two levels too high on `side`. Returns what has taken its place; *lower: that has a level less than the node had before. */
static node_t rebalance(node_t node, int side, bool *lower)
{
    node_t child = *child_at(node, side), grand;

    *lower = child->Balance != 0;
    if (child->Balance != -side) {
        node->Balance = (CHAR)(child->Balance == 0 ? side : 0);
        child->Balance = (CHAR)(child->Balance == 0 ? -side : 0);
        return turn(node, side);
    }
    grand = *child_at(child, -side);
    turn(child, -side);
    turn(node, side);
    node->Balance = (CHAR)(grand->Balance == side ? -side : 0);
    child->Balance = (CHAR)(grand->Balance == -side ? side : 0);
    grand->Balance = 0;
    return grand;
}

int rtl_avl_insert(PRTL_BALANCED_LINKS head, PRTL_BALANCED_LINKS parent, bool left, PRTL_BALANCED_LINKS node)
{
    bool lower;

    node->LeftChild = node->RightChild = NULL;
    node->Balance = 0;
    link(parent, left ? -1 : 1, node);
    for (; parent != head; node = parent, parent = parent->Parent) {
        int side = side_of(node);
        if (parent->Balance == side) {
            rebalance(parent, side, &lower);
            return 0;
        }
        parent->Balance = (CHAR)(parent->Balance + side);
        if (parent->Balance == 0)
            return 0;
    }
    return 1;
}

/* A subtree of `parent` has lost a level on `side`. */
static int shrink(node_t head, node_t parent, int side)
{
    while (parent != head) {
        node_t top = parent;
        if (parent->Balance == 0) {
            parent->Balance = (CHAR)-side;
            return 0;
        }
        if (parent->Balance == side) {
            parent->Balance = 0;
        } else {
            bool lower;
            top = rebalance(parent, -side, &lower);
            if (!lower)
                return 0;
        }
        side = side_of(top);
        parent = top->Parent;
    }
    return -1;
}

int rtl_avl_remove(PRTL_BALANCED_LINKS head, PRTL_BALANCED_LINKS node)
{
    node_t parent = node->Parent, heir;
    int    side = side_of(node);

    if (node->LeftChild == NULL || node->RightChild == NULL) {
        link(parent, side, node->LeftChild != NULL ? node->LeftChild : node->RightChild);
        return shrink(head, parent, side);
    }
    heir = node->RightChild; /* the next node takes the place; it has no left child */
    while (heir->LeftChild != NULL)
        heir = heir->LeftChild;
    node_t heirs_parent = heir->Parent;
    int    heirs_side = side_of(heir);
    link(heirs_parent, heirs_side, heir->RightChild);
    heir->Balance = node->Balance;
    link(heir, -1, node->LeftChild);
    link(heir, 1, node->RightChild);
    link(parent, side, heir);
    return shrink(head, heirs_parent == node ? heir : heirs_parent, heirs_side);
}

/* ---- neighbours ---- */

static node_t outermost(node_t node, int side)
{
    while (node != NULL && *child_at(node, side) != NULL)
        node = *child_at(node, side);
    return node;
}

static node_t neighbour(node_t head, node_t node, int side)
{
    if (*child_at(node, side) != NULL)
        return outermost(*child_at(node, side), -side);
    while (node->Parent != head && side_of(node) == side)
        node = node->Parent;
    return node->Parent != head ? node->Parent : NULL;
}

PRTL_BALANCED_LINKS rtl_avl_first(PRTL_BALANCED_LINKS head) { return outermost(head->RightChild, -1); }

PRTL_BALANCED_LINKS rtl_avl_next(PRTL_BALANCED_LINKS head, PRTL_BALANCED_LINKS node) { return neighbour(head, node, 1); }

PRTL_BALANCED_LINKS rtl_avl_previous(PRTL_BALANCED_LINKS head, PRTL_BALANCED_LINKS node) { return neighbour(head, node, -1); }
